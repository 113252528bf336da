-- The command ym2612ml with one thread a process, for spec/bench/mpi.lua.
package.path = "./lua/?.lua;./lua/?/init.lua;" .. package.path
package.cpath = "./lua/?.so;" .. package.cpath
require "ym2612ml".threads(1)
os.exit(require "ym2612ml.cli.main".run(arg), true)
