| The 68000's program of a cartridge that plays patches (lua/ym2612ml/rom.lua), as text
| for GNU as. `make rom` assembles it into lua/ym2612ml/rom/player.lua, which ships.
|
| It sets the console up and then obeys the commands that follow it in the cartridge.
| What to play, and when, is theirs alone: lua/ym2612ml/rom/stream.lua writes them.
|
|   0                  the end
|   1 register value   write to part I of the YM2612: channels 1 to 3 and what all share
|   2 register value   write to part II: channels 4 to 6
|   3 high low         wait for so many ticks, 1..65535
|   4 count bits...    send so many levels, 1..255, to the DAC, one a tick, as bits from
|                      the highest down: 1 is the highest level, 0 the lowest
|   5 high low         a colour for the screen, as its memory holds it
|   6                  reset the YM2612, with which ticks begin anew
|
| A tick is one overflow of the YM2612's timer A, so times are exact in samples of the
| chip, whatever the television standard and the 68000 do. Timer A runs on when it
| overflows, hence no tick is lost as long as the commands between two waits take less
| than one. The clock of the envelopes begins anew with a reset, too: what is written
| after the n-th tick from there is written in the chip's sample 48 n + 45.

	.equ	STACK, 0x00FFFE00
	.equ	VDP_DATA, 0xC00000
	.equ	VDP_CONTROL, 0xC00004
	.equ	PSG, 0xC00011
	.equ	VERSION, 0xA10001
	.equ	TMSS, 0xA14000
	.equ	Z80_BUS, 0xA11100
	.equ	Z80_RESET, 0xA11200
	.equ	YM2612, 0xA04000	| address, data, then those of part II
	.equ	SAMPLES_A_TICK, 48
	.equ	TIMER_A, 1024 - SAMPLES_A_TICK
| Turns of loops of ten cycles. SETTLE brings the first tick to its place after a reset,
| and LOW the reset as a whole, from the tick before it on, to 96 samples; BOOT does the
| like from power-on, for emulators in which the clock of the envelopes runs from there.
	.equ	SETTLE, 551
	.equ	LOW, 699
	.equ	BOOT, 590
	.equ	TIMER_ON, 0x15		| runs, and sets its flag, which this clears
	.equ	DAC_HIGHEST, 0xFF
	.equ	DAC_LOWEST, 0x01	| as far below silence, 0x80, as the highest is above

	.text
	.long	STACK, start
	.rept	62
	.long	stop
	.endr

| The header; rom/build.lua fills in what depends on the patches.
	.ascii	"SEGA MEGA DRIVE "
	.ascii	"(C)YM2612ML     "
	.space	96, 0x20		| title at home and abroad
	.ascii	"GM YM2612ML-00"
	.word	0			| checksum
	.ascii	"J               "
	.long	0, 0			| first and last address of the cartridge
	.long	0x00FF0000, 0x00FFFFFF	| and of the memory
	.space	64, 0x20
	.ascii	"JUE             "

start:
	move.w	#0x2700, %sr
	move.b	VERSION, %d0
	andi.b	#0x0F, %d0
	beq.s	no_lock
	move.l	#0x53454741, TMSS	| "SEGA", or this console keeps its VDP locked
no_lock:

| The Z80 shares its reset with the YM2612. It stays off the bus for good.
	move.w	#0x100, Z80_BUS
	move.w	#0x100, Z80_RESET
1:	btst	#0, Z80_BUS
	bne.s	1b

	tst.w	VDP_CONTROL
	lea	vdp_registers(%pc), %a0
	move.w	#0x8000, %d0
	moveq	#23, %d1
2:	move.b	(%a0)+, %d0
	move.w	%d0, VDP_CONTROL
	addi.w	#0x100, %d0
	dbra	%d1, 2b

	lea	psg_silence(%pc), %a0
	moveq	#3, %d0
3:	move.b	(%a0)+, PSG
	dbra	%d0, 3b

	move.w	#BOOT, %d0
4:	dbra	%d0, 4b
	lea	YM2612, %a1
	jbsr	reset_chip
	lea	commands(%pc), %a0
next:
	moveq	#0, %d0
	move.b	(%a0)+, %d0
	add.w	%d0, %d0
	move.w	actions(%pc, %d0.w), %d0
	jmp	actions(%pc, %d0.w)
actions:
	.word	stop - actions, part_1 - actions, part_2 - actions
	.word	wait - actions, levels - actions, colour - actions, reset - actions

stop:
	jbra	stop

part_1:
	move.b	(%a0)+, %d2
	move.b	(%a0)+, %d3
	jbsr	write
	jbra	next

part_2:
	move.b	(%a0)+, %d2
	move.b	(%a0)+, %d3
	addq.l	#2, %a1
	jbsr	write
	subq.l	#2, %a1
	jbra	next

wait:
	jbsr	two_bytes
	jbsr	ticks
	jbra	next

levels:
	moveq	#0, %d4
	move.b	(%a0)+, %d4		| levels left
	moveq	#0, %d5			| bits left in %d6
level:
	subq.w	#1, %d5
	bpl.s	1f
	move.b	(%a0)+, %d6
	moveq	#7, %d5
1:	moveq	#0x2A, %d2
	moveq	#DAC_LOWEST, %d3
	add.b	%d6, %d6
	bcc.s	2f
	move.b	#DAC_HIGHEST, %d3
2:	jbsr	write
	moveq	#1, %d1
	jbsr	ticks
	subq.w	#1, %d4
	bne.s	level
	jbra	next

colour:
	jbsr	two_bytes
	move.l	#0xC0000000, VDP_CONTROL
	move.w	%d1, VDP_DATA
	jbra	next

reset:
	jbsr	reset_chip
	jbra	next

| The reset line stays low for more than the 192 cycles that the YM2612 needs.
reset_chip:
	moveq	#0x27, %d2
	moveq	#0, %d3
	jbsr	write
	move.w	#0, Z80_RESET
	move.w	#LOW, %d0
1:	dbra	%d0, 1b
	move.w	#0x100, Z80_RESET
	move.w	#SETTLE, %d0
2:	dbra	%d0, 2b
	moveq	#0x24, %d2
	move.b	#TIMER_A >> 2, %d3
	jbsr	write
	moveq	#0x25, %d2
	moveq	#TIMER_A & 3, %d3
	jbsr	write
	moveq	#0x27, %d2
	moveq	#TIMER_ON, %d3
	jbra	write

| The next two bytes into %d1.
two_bytes:
	move.b	(%a0)+, %d1
	lsl.w	#8, %d1
	move.b	(%a0)+, %d1
	rts

| Waits for %d1 ticks.
ticks:
	btst	#0, YM2612
	beq.s	ticks
	moveq	#0x27, %d2
	moveq	#TIMER_ON, %d3
	jbsr	write
	subq.w	#1, %d1
	bne.s	ticks
	rts

| Writes %d3 to register %d2 of the part at %a1, once the chip is ready for it.
write:
	tst.b	YM2612			| the only address at which every revision tells
	bmi.s	write
	move.b	%d2, (%a1)
	nop				| the address needs 17 cycles
	nop
	move.b	%d3, 1(%a1)
	rts

| Mode 5 with the picture off, which leaves a screen of colour 0.
vdp_registers:
	.byte	0x04, 0x04, 0x30, 0x3C, 0x07, 0x6C, 0x00, 0x00
	.byte	0x00, 0x00, 0xFF, 0x00, 0x81, 0x37, 0x00, 0x02
	.byte	0x01, 0x00, 0x00, 0xFF, 0xFF, 0x00, 0x00, 0x80
psg_silence:
	.byte	0x9F, 0xBF, 0xDF, 0xFF

	.even
commands:
