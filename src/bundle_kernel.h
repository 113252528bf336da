/*
** The kernel of bundles: one source, compiled for each level of instructions by the
** bundle_<level>.c files, which name the table of functions (KERNEL) they give.
*/
#include "bundle_deliver.h"
#include "bundle_envelope.h"
#include "bundle_loop.h"

enum { BLOCK = 128 }; /* samples rendered before they are delivered, a multiple of 8 */

static size_t earlier(size_t a, size_t b) {
	return a < b ? a : b;
}

/* Runs count samples (at most BLOCK) from `first` on. */
static void advance(struct ym_bundle *bundle, struct agenda *agenda, size_t first,
                    size_t count, values *rows) {
	size_t end = first + count;
	for (int o = 0; o < YM_OPERATORS; o++) {
		values fraction = load(bundle->fraction[o]);
		store(bundle->phase[o], load(bundle->phase[o]) + (fraction >> 4));
		store(bundle->fraction[o], fraction & 15);
	}
	for (size_t sample = first, stop; sample < end; sample = stop) {
		attend(bundle, agenda, sample);
		stop = earlier(end, earlier(agenda->lfo, heard_from(agenda->tick)));
		if (sample < 3)
			stop = earlier(stop, sample == 0 ? 1 : 3);
		stop = earlier(stop, agenda->cycle_release - YM_FIRST_FRAME);
		if (any_busy(bundle))
			stop = sample + 1;
		run_samples(bundle, stop - sample, rows + (sample - first));
		end_cycles(bundle, agenda, stop - 1 + YM_FIRST_FRAME);
	}
}

static void render(struct ym_bundle *bundle, enum ym_bundle_form form,
                   void *const out[]) {
	struct delivery delivery = delivery_of(bundle, form, out);
	struct agenda agenda = {
		.lfo = next_lfo(bundle),
		.cycle_release = next_release(bundle, YM_FIRST_FRAME, true)};
	values rows[BLOCK];
	agenda.release = next_release_tick(bundle, YM_FIRST_FRAME + 2);
	agenda.tick = next_tick(bundle, YM_FIRST_FRAME + 2, agenda.release);
	for (int o = 0; o < YM_OPERATORS; o++)
		set_attenuation(bundle, o);
	for (size_t first = 0; first < bundle->longest; first += BLOCK) {
		size_t count = earlier(BLOCK, bundle->longest - first);
		if (first == 0 || bundle->alive > 0)
			advance(bundle, &agenda, first, count, rows);
		else
			memset(rows, 0, sizeof rows);
		deliver(bundle, &delivery, first, count, rows);
	}
}

const struct ym_bundle_kernel KERNEL = {LANES, render};
