// Package fleet starts real Docker hosts for tests, benchmarks and the demo:
// N engines and one registry on a single Debian machine, all below one folder.
//
// A host is a network namespace with an address of its own, and in it a
// dockerd with its own data, sockets and containerd. All hosts hang on one
// bridge; the registry listens on the bridge's address, so this machine and
// every host reach it under the same name:
//
//	this machine ── bridge 10.a.b.1 ── registry 10.a.b.1:5000
//	                   │
//	     ┌─────────────┼─────────────┐
//	 etl-1 .11     etl-2 .12     etl-3 .13      tcp 2375 and a unix socket each
//
// Nothing else is reachable from a host: packets are not forwarded.
//
// That is a plain fleet. What else there is costs nothing until it is asked
// for, and may be combined:
//
//   - HostOptions: a current engine beside Debian's (Engine29, which
//     BuildEngine29 makes once), TLS on the network, an SSHServer;
//   - Host.Cut and Host.Limit: a network that fails or is slow;
//   - Host.Stop, Crash and Kill: an engine that is stopped in order, dies alone,
//     or loses its power; with LiveRestore containers outlive the first two;
//   - Fleet.AddRegistry: registries with accounts, tokens, TLS, and
//     pull-through caches;
//   - Gate, before such a registry: it counts requests and bytes, and makes the
//     registry slow or fail. It lives in the process that asked for it.
//
// Two ideas keep the machine clean. Every name (bridge, link, namespace,
// control group, process mark) derives from one short random id, so a fleet
// can be taken down knowing nothing but that id, also when whoever started it
// was killed. And each engine lives in its own mount namespace, so what it
// mounts goes away with its last process.
//
// Images come from Push: a small static program with a verb for all that tests
// ask of a container (see test/fleet/program), layers of random bytes, indexes,
// images for other platforms, and a Node program on a small Debian.
//
// What stays after the last fleet is the cache of NodeImage, the programs of
// Engine29 (in prewarm-tools below os.UserCacheDir), and what dockerd makes
// outside its folders: up to version 22 an /etc/docker/key.json, from which it
// takes its id. So all of Debian's engines in a fleet give the same id, as
// machines cloned from one image do; a good test does not mind.
//
// Up needs root and the programs that test/setup.sh installs. It never skips:
// a test without an engine fails and says what is missing.
package fleet
