package problem

import "strings"

// Again says whether the same is worth trying again.
type Again string

// What trying again does.
const (
	No     Again = "no, until it is mended"
	Later  Again = "yes, later"
	Self   Again = "Prewarm does so by itself"
	Caller Again = "as the caller likes"
	Look   Again = "only after a look: it may have run"
)

// Kind is what there is to know of a code in general. An Error has a message,
// and mostly a mend, of its own.
type Kind struct {
	Code Code
	// Means is what happened: lower case, no full stop.
	Means string
	Again Again
	// Mend is what to do where the Error says nothing more particular. What is to
	// be typed stands between backquotes.
	Mend string
}

// Plain is the mend as an Error has it.
func (k Kind) Plain() string { return strings.ReplaceAll(k.Mend, "`", "") }

// Kinds are what there is to know of every code, in the order of the codes.
var Kinds = []Kind{
	{
		InvalidRequest, "a field of the request is wrong", No,
		"correct the field or the flag that the message names; `/openapi.yaml` of the server describes what the API takes, `--help` what a verb takes",
	},
	{
		PathNotFound, "the API has no such path", No,
		"correct the address: `/openapi.yaml` of the server lists the paths; where a newer command line or provider asks an older server, upgrade the server",
	},
	{MethodNotAllowed, "the path takes other methods", No, "use a method that the header `Allow` names; `/openapi.yaml` of the server lists them"},
	{
		InvalidConfig, "the configuration was refused", No,
		"correct what the message names with its file and line; `prewarm config check` reads the files as the server does",
	},
	{
		Unauthenticated, "the request does not say who the caller is, or not believably", No,
		"send a token that is known here: `PREWARM_TOKEN_FILE`, or the header `Authorization: Bearer`; `prewarm token create` makes one",
	},
	{Forbidden, "the caller may not do that", No, "use a token with the scope that the message names, or ask an admin for one"},
	{TooManyRequests, "the caller asks too often, or follows too much at once", Later, "wait as long as `Retry-After` says; follow one stream rather than ask often"},
	{TokenNotFound, "no token of that name or id", No, "take a name or an id that `prewarm token list` shows"},
	{
		TokenRefused, "a token like that can't be made, or not be revoked", No,
		"do first what the message asks for: another name, say, or a token of the scope `admin` before all others",
	},
	{
		ImageNotManaged, "no entry of the configuration answers to the name", No,
		"correct the name (`prewarm status` lists the images), or add the image to the configuration",
	},
	{DigestNotManaged, "the digest is not current for its image", No, "run the image by its name or tag, or add an entry with `track: {digest: …}`"},
	{HostNotManaged, "no host of that name in the configuration", No, "take a name that `prewarm status` lists, or add the host to the configuration"},
	{HostNotSelected, "the image is not meant for that host", No, "change the `hosts` of the image, or the labels of the host, in the configuration"},
	{RunNotFound, "no run of that id", No, "take an id that `prewarm ps --all` lists; a token sees the runs of its own namespace only"},
	{NoCurrent, "nothing of the image has been promoted yet", Later, "`prewarm status` says what the first promotion waits for; `--wait-warm` waits for it, too"},
	{RolloutNotFound, "the image has no such digest to approve or to go back to", No, "take a digest that `prewarm history IMAGE` lists"},
	{NotVerified, "the verification of the digest said no", No, "see why with `prewarm history IMAGE`; `prewarm warm IMAGE` asks for the verification again"},
	{ImageNotWarm, "the digest is warm on no host that could run it", Later, "submit with `--wait-warm`, or see in `prewarm status` what keeps it from the hosts"},
	{
		NotAllowed, "the server's policy forbids what the submit asks for", No,
		"leave out what the message names, or allow it by the key of `runner.policy` that it names",
	},
	{
		KeyConflict, "the key's active run is another piece of work", Later,
		"wait for the run that has the key; or use another key, a higher epoch, or `on_conflict: join` or `replace`",
	},
	{NoHost, "no host fits what the submit asks for", Later, "ask for less or for other hosts; `prewarm undrain` lets a drained host take runs again"},
	{ScopeNotFound, "no pin scope of that name", No, "take a name that `prewarm scopes` lists; a scope that has ended is begun anew by its first run"},
	{PinCold, "a scope's digest is no longer held, and not warm", Later, "submit with `--wait-warm`, or move the scope to the current digest: `prewarm scope repin`"},
	{PinUnavailable, "a scope's digest can't be had any more", No, "push that digest again, or move the scope to the current one: `prewarm scope repin`"},
	{
		ScopeHost, "the host of the scope's volume can't be used", Later,
		"wait for the host that has the files, or end the scope and run its tasks again: `prewarm scope end`",
	},
	{
		QueueFull, "too many runs wait already", Later,
		"submit again later; `runner.queue` of the configuration is the limit, and `prewarm ps` says what the runs wait for",
	},
	{ExitCode, "the program ended with a code that is not 0", Caller, "read what the program says: `prewarm logs RUN`"},
	{
		Signaled, "a signal ended the program, and it was not ours", Caller,
		"see in `prewarm logs RUN` whether the program crashed (139), and on the host who sends it signals (137, 143)",
	},
	{OutOfMemory, "the kernel ended the program for its memory", No, "give the run more memory (`--memory`), or let the program use less"},
	{CancelAsked, "somebody canceled the run", Caller, "nothing is wrong; `prewarm audit` says who did it"},
	{DeadlinePassed, "the run's deadline passed", Caller, "give it a longer `--deadline`, or see in its log what it spent the time on; time in the queue counts"},
	{CallerSilent, "the keepalive passed", Caller, "let the caller follow its run; or give it a longer `--keepalive`, or none"},
	{Replaced, "another submit under its key took the run's place", No, "nothing is wrong: follow the run that took its place"},
	{AlreadySucceeded, "another run of the key did the work", No, "nothing is wrong; to have the work done again, submit it with a higher epoch"},
	{Released, "an admin gave the key free", Caller, "make sure that the container runs no more before the work is done again"},
	{JoinedSince, "another call has joined the run, so that one can't cancel it", No, "to cancel it nevertheless: `prewarm cancel RUN`"},
	{
		NotReleasable, "the run claims nothing that could be given free", No,
		"a run under way is canceled (`prewarm cancel`); one that has ended claims nothing, unless it is lost",
	},
	{
		ContactLost, "the host did not answer until the deadline", Look,
		"find out on the host whether the container runs; where the host is gone for good, `prewarm release RUN` gives the key free",
	},
	{EngineReplaced, "another engine answers for the host", Look, "find out what became of the machine before; `prewarm release RUN` gives the key free"},
	{ResultMissing, "the program left no result file", No, "let the program write a plain file at the path of `--result`"},
	{ResultInvalid, "the result file is no JSON", No, "let the program write one JSON value there"},
	{ResultTooLarge, "the result file is over the limit", No, "let the program write less, or raise `runner.max_result` of the configuration"},
	{VolumeInUse, "a container uses the volume", Self, "remove the container that the message names, or wait for its end"},
	{ImageInUse, "a container, or an image built on it, uses the image", Later, "wait for the run, or remove the container or the image that is built on it"},
	{ImageLeaving, "the image is being removed from a host at this moment", Later, "ask again in a moment"},
	{
		PruneStopped, "a removal did not do what was predicted", No,
		"`prewarm prunes` says what was removed; look again with `prewarm prune`, which predicts from what is there now",
	},
	{RouteNotFound, "no route of notices of that name", No, "take the name of an entry of `notify` in the configuration"},
	{
		NoticeFailed, "a route's channel did not take a notice", No,
		"correct the route, or what it names: a token, a channel, an address; `prewarm notify test ROUTE --send` tries it",
	},
	{
		LogRemoved, "retention has removed the run's log", No,
		"keep logs for longer by `runner.logs.keep` and `runner.logs.total`, or send them elsewhere by `runner.forward`",
	},
	{
		WebhookNotFound, "no webhook of that name, or at that address", No,
		"compare the address with the configuration: the name of the hook, and the secret behind it where it has one; `prewarm webhooks` lists them",
	},
	{WebhookDenied, "a delivery does not prove who sent it", No, "give the sender and the hook the same secret; `prewarm webhook test` shows what the hook takes"},
	{WebhookBody, "a delivery is not what its sender's kind sends", No, "compare the `kind` of the hook with what sends; docs/webhooks.md says what each kind sends"},
	{
		WebhookBusy, "more deliveries wait to be written down than can", Later,
		"send it again after a second; senders do so by themselves, or a look at the tags finds the push",
	},
	{Stopping, "the server is shutting down", Later, "ask again once the server is back"},
	{TagNotFound, "the registry says that the tag is not there", Self, "push it, or correct the repository or the tag; what is warm stays warm"},
	{
		RegistryAuth, "the registry refuses the credentials", Self,
		"`prewarm doctor` tries the login; correct the entry of `registries`, or let its token read the repository. Registries answer so, too, where a repository does not exist",
	},
	{RegistryLimited, "the registry says: too many requests", Self, "wait; log in, look less often, or use a mirror; docs/registries.md has the limits"},
	{
		RegistryUnavailable, "the registry is down, slow or broken", Self,
		"check that the registry runs, and that this machine, or the host that the message names, reaches it; `prewarm doctor` tries both",
	},
	{
		RegistryAnswer, "the registry answered something that makes no sense", Self,
		"check that the name is a registry's, that `plain_http` is right, and that no proxy answers in its place",
	},
	{PlatformMissing, "the image has nothing for the host's platform", No, "build the image for the platform of the host, or select other hosts for it"},
	{HostUnreachable, "the engine does not answer", Self, "`prewarm doctor` says what stands between: a name, a port, a certificate, a login, an engine that is down"},
	{EngineAPI, "the engine answered with an error", Caller, "do what the engine's own words ask for; its log says more (`journalctl -u docker`)"},
	{
		EngineRestarted, "the engine was restarted under a run", Look,
		"see how far the program came, and run it again; live-restore in `daemon.json` lets containers outlive a restart of the engine",
	},
	{ContainerLost, "the container is gone", Look, "find out who removes containers there: a cron job with `docker system prune`, say"},
	{ImageLost, "the image went away between its check and its use", Self, "find out who removes images there; it is pulled again, and the run goes where it is warm"},
	{
		NoSpace, "the disk is full, of a host or of the server", Later,
		"see what takes the space (on a host: `prewarm images --host HOST`, `docker system df` there), and remove it or enlarge the disk",
	},
	{PullStalled, "a pull made no progress", Self, "look at the way from the host to the registry: its bandwidth, its proxy"},
	{StartFailed, "the container could not be started: its command, user, a mount, a device", No, "correct what the engine names: the command, the user, a mount, a device"},
	{ServerUnreachable, "the command line found no server", Later, "start the server, or name the right one: `--server`, or `PREWARM_URL`"},
	{
		ServerLost, "the connection broke after a request was sent", Later,
		"`prewarm run` connects again by itself; another request may have been done: look before sending it again",
	},
	{ListenFailed, "the address is taken or can't be used", No, "free the address, or give `server.listen` another one"},
	{StateLocked, "another server uses this state", No, "stop the other server, or give this one a `state.path` of its own"},
	{StateCorrupt, "the state can't be read", No, "put a backup of the state back, or move the folder away to begin with an empty one"},
	{StateNewer, "the state, or a backup of it, is a later release's", No, "start the release that wrote it, or put back a backup from before the upgrade"},
	{StateNotEmpty, "a restore found a state in the folder", No, "use `--force`, which moves that state aside, or name another folder"},
	{
		StateRestored, "the run waited when the backup was made that the state comes from", Look,
		"find out whether the work was done since, then submit it again",
	},
	{BackupUnderWay, "another backup is being made", Later, "wait for its end"},
	{BackupBroken, "the file is no whole backup", No, "take another backup"},
	{Internal, "a fault of Prewarm itself", Caller, "the server's log may say more; report this as a fault of Prewarm"},
}

// KindOf finds what there is to know of a code.
func KindOf(code Code) (Kind, bool) {
	for _, k := range Kinds {
		if k.Code == code {
			return k, true
		}
	}
	return Kind{}, false
}
