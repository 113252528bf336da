/* Plays a VGM through libgme and prints the seconds of processor time that took:
** libgme FILE SECONDS [OUT]. The reference of the render benchmark. To OUT go the samples,
** 16 bits, left and right by turns, without a header. */
#include <gme/gme.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { RATE = 53267, CHUNK = 4096 };

int main(int argc, char **argv) {
	static short buffer[2 * CHUNK];
	Music_Emu *player;
	gme_err_t error;
	long frames;
	clock_t start;
	FILE *out = argc == 4 ? fopen(argv[3], "wb") : NULL;
	if (argc < 3 || (argc == 4 && out == NULL))
		return fprintf(stderr, "usage: libgme FILE SECONDS [OUT]\n"), 2;
	error = gme_open_file(argv[1], &player, RATE);
	if (error == NULL) {
		gme_ignore_silence(player, 1); /* or it would leave it out */
		error = gme_start_track(player, 0);
	}
	frames = (long)(atof(argv[2]) * RATE);
	start = clock();
	for (; error == NULL && frames > 0; frames -= CHUNK) {
		error = gme_play(player, 2 * CHUNK, buffer);
		if (out != NULL && fwrite(buffer, sizeof buffer, 1, out) != 1)
			error = "cannot write";
	}
	if (out != NULL && fclose(out) != 0)
		error = "cannot write";
	if (error != NULL)
		return fprintf(stderr, "%s: %s\n", argv[1], error), 1;
	printf("%.6f\n", (double)(clock() - start) / CLOCKS_PER_SEC);
	gme_delete(player);
	return 0;
}
