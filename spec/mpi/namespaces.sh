#!/bin/bash
# Two ranks on two machines, as far as they can tell: two network namespaces with names of
# their own, joined by a pair of virtual cards, and no shared memory between the ranks. A
# small training there must end with the same bytes as that of one process. Needs root and
# ip netns; without them it says so, and succeeds.
#
#   spec/mpi/namespaces.sh
set -u
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
first=ym-first-$$ second=ym-second-$$
command="lua5.4 lua/ym2612ml/cli.lua train --records 256 --epochs 2 --network-epochs 1"

skip() {
	echo "skipped: $1"
	exit 0
}

clean() {
	ip netns del $first 2>/dev/null
	ip netns del $second 2>/dev/null
	rm -rf "$work"
}
trap clean EXIT

[ "$(id -u)" = 0 ] || skip "needs root"
command -v mpirun >/dev/null || skip "there is no mpirun"
[ -f lua/ym2612ml/mpi/core.so ] || skip "built without Open MPI"
ip netns add $first 2>/dev/null && ip netns add $second 2>/dev/null ||
	skip "ip netns does not work here"

ip link add veth-a netns $first type veth peer name veth-b netns $second || skip "no veth"
ip -n $first addr add 10.77.0.1/24 dev veth-a
ip -n $second addr add 10.77.0.2/24 dev veth-b
for space in "$first veth-a" "$second veth-b"; do
	set -- $space
	ip -n "$1" link set lo up
	ip -n "$1" link set "$2" up
done

# In place of ssh: enters the namespace that the address stands for, under another name.
cat >"$work/agent" <<END
#!/bin/bash
shift
exec ip netns exec $second unshare --uts sh -c 'hostname second; exec sh -c "\$0"' "\$*"
END
chmod +x "$work/agent"

$command -o "$work/alone" --work "$work/alone.work" >/dev/null || exit 1
ip netns exec $first unshare --uts sh -c 'hostname first; exec "$@"' sh \
	mpirun --allow-run-as-root --host 10.77.0.1:1,10.77.0.2:1 -np 2 \
	--mca plm_rsh_agent "$work/agent" --mca btl tcp,self \
	--mca btl_tcp_if_include 10.77.0.0/24 --mca oob_tcp_if_include 10.77.0.0/24 \
	--tag-output sh -c 'echo "rank $OMPI_COMM_WORLD_RANK on $(hostname)" >&2; exec "$@"' sh \
	$command -o "$work/apart" --work "$work/apart.work" || exit 1
diff -r "$work/alone" "$work/apart" && diff -r "$work/alone.work" "$work/apart.work" ||
	{ echo "the bytes differ" >&2; exit 1; }
echo "two namespaces: the same bytes as one process"
