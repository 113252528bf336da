/* ym2612ml.live.core: the live instrument's client of a JACK server. */
#include "live/lua_live.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "live/client.h"

#define CLIENT "ym2612ml.live.client"

enum { MOST_INPUT = 4096 };

/* The client, or an error when it is closed. */
static struct ym_client *check_client(lua_State *L) {
	struct ym_client **client = luaL_checkudata(L, 1, CLIENT);
	if (*client == NULL)
		luaL_error(L, "the instrument is closed");
	return *client;
}

/* client{name =, patch =, server = nil, send = 1, chip =, bend =, gain =} -> client, or
** nil, message, "io" */
static int client_new(lua_State *L) {
	static const char *const known[] = {"name", "patch", "server", "send",
	                                    "chip", "bend",  "gain",   NULL};
	struct ym_client_settings settings = {0};
	struct ym_client **client;
	struct ym_error error;
	ym_check_options(L, 1, known);
	ym_engine_options(L, 1, &settings.engine);
	settings.send = (int)ym_option_integer(L, 1, "send", 1, 0, 6);
	lua_getfield(L, 1, "name");
	lua_getfield(L, 1, "server");
	settings.name = luaL_checkstring(L, -2);
	settings.server = luaL_optstring(L, -1, NULL);
	client = lua_newuserdatauv(L, sizeof *client, 0);
	*client = NULL;
	luaL_setmetatable(L, CLIENT);
	if (ym_client_open(&settings, client, &error) != YM_OK)
		return ym_push_failure(L, &error);
	return 1;
}

/* client:close(): leaves the server. May be called again. */
static int client_close(lua_State *L) {
	struct ym_client **client = luaL_checkudata(L, 1, CLIENT);
	ym_client_close(*client);
	*client = NULL;
	return 0;
}

/* client:alive() -> true, or nil, message, "io" when the server has gone */
static int client_alive(lua_State *L) {
	struct ym_error error;
	if (!ym_client_alive(check_client(L), &error))
		return ym_push_failure(L, &error);
	lua_pushboolean(L, true);
	return 1;
}

/* client:about() -> name, rate in Hz, frames of a period */
static int client_about(lua_State *L) {
	const struct ym_client *client = check_client(L);
	lua_pushstring(L, ym_client_name(client));
	lua_pushinteger(L, ym_client_rate(client));
	lua_pushinteger(L, ym_client_period(client));
	return 3;
}

/* client:patch(patch) -> whether there was room for it */
static int client_patch(lua_State *L) {
	struct ym_client *client = check_client(L);
	struct ym_patch patch;
	ym_check_patch(L, 2, &patch);
	lua_pushboolean(L, ym_client_patch(client, &patch));
	return 1;
}

/* client:silence() -> whether there was room for it: lets go of all keys. */
static int client_silence(lua_State *L) {
	lua_pushboolean(L, ym_client_silence(check_client(L)));
	return 1;
}

/* client:event() -> three bytes of a MIDI message and the server's frame in which it came;
** nothing when there is none. */
static int client_event(lua_State *L) {
	struct ym_client_event event;
	if (!ym_client_event(check_client(L), &event))
		return 0;
	for (int i = 0; i < 3; i++)
		lua_pushinteger(L, event.bytes[i]);
	lua_pushinteger(L, event.frame);
	return 4;
}

/* client:wait(seconds, [input]): until there is an event, or input on the standard input,
** or that time is over. A signal ends it, too. */
static int client_wait(lua_State *L) {
	struct ym_client *client = check_client(L);
	lua_Number seconds = luaL_checknumber(L, 2);
	luaL_argcheck(L, seconds >= 0 && seconds <= 1, 2, "expected seconds 0..1");
	ym_client_wait(client, seconds, lua_toboolean(L, 3));
	return 0;
}

/* client:counts() -> what happened so far, by name */
static int client_counts(lua_State *L) {
	struct ym_client_counts counts;
	ym_client_counted(check_client(L), &counts);
	ym_push_engine_counts(L, &counts.engine);
	ym_set_count(L, "frames", counts.frames);
	ym_set_count(L, "periods", counts.periods);
	ym_set_count(L, "dropped", counts.dropped);
	ym_set_count(L, "sent", counts.sent);
	ym_set_count(L, "xruns", counts.xruns);
	return 1;
}

/* client:connect() -> how many connections to physical ports were made */
static int client_connect(lua_State *L) {
	lua_pushinteger(L, ym_client_connect(check_client(L)));
	return 1;
}

/* input() -> what can be read on the standard input now, "" when that is nothing; nil when
** it has ended */
static int live_input(lua_State *L) {
	struct pollfd watched = {.fd = STDIN_FILENO, .events = POLLIN};
	char bytes[MOST_INPUT];
	ssize_t size;
	if (poll(&watched, 1, 0) <= 0) {
		lua_pushliteral(L, "");
		return 1;
	}
	size = read(STDIN_FILENO, bytes, sizeof bytes);
	if (size < 0 && (errno == EAGAIN || errno == EINTR))
		size = 0; /* another reader was quicker, or a signal came */
	else if (size <= 0)
		return 0;
	lua_pushlstring(L, bytes, (size_t)size);
	return 1;
}

void ym_open_client(lua_State *L) {
	static const luaL_Reg functions[] = {
		{"client", client_new}, {"input", live_input}, {NULL, NULL}};
	static const luaL_Reg methods[] = {
		{"close", client_close},     {"alive", client_alive},
		{"about", client_about},     {"patch", client_patch},
		{"silence", client_silence}, {"event", client_event},
		{"wait", client_wait},       {"counts", client_counts},
		{"connect", client_connect}, {NULL, NULL},
	};
	static const luaL_Reg metamethods[] = {
		{"__gc", client_close}, {"__close", client_close}, {NULL, NULL}};
	ym_new_class(L, CLIENT, methods, metamethods);
	luaL_setfuncs(L, functions, 0);
}

/* The module's only exported symbol (see lua_core.c). */
__attribute__((visibility("default"))) int luaopen_ym2612ml_live_core(lua_State *L);

int luaopen_ym2612ml_live_core(lua_State *L) {
	luaL_checkversion(L);
	lua_newtable(L);
	ym_open_engine(L);
	ym_open_client(L);
	return 1;
}
