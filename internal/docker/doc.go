// Package docker speaks to one Docker Engine. It is the only package that
// imports the Docker client; what it offers are the words of the domain:
// *Host is a warmer.Host and a runner.Engine.
//
// Three rules hold everywhere in it:
//
//   - Nothing is believed because a call succeeded. A pull that ended well is
//     inspected, a created container is compared with the image that was
//     verified, a container that "ended" is looked at again.
//   - A short call has a deadline, a stream has none. Pulls, waits and logs may
//     last for days; what ends them is silence where there should be none
//     (Options.Stall, TCP keepalive) or their context.
//   - An error says which kind it is: no answer is problem.HostUnreachable, and
//     the next call then negotiates anew with whatever engine is there; an
//     answer that is an error is any other code.
//
// An engine is reached by a unix socket, by tcp, plain or with TLS, or through
// sshd to a socket on its machine; whichever it is, plain HTTP is spoken over
// what the dialer opened. testdata/calls.txt lists every call that is made.
//
// An engine that is restarted ends its containers, and their codes are its
// doing. So an exit is believed only in the life of the engine in which the
// container was seen running; what names that life is the caller's to keep.
//
// Images are pulled by digest and run by digest, never by tag. The tag that
// this package does set, the keep-tag, only keeps a pulled digest from being
// pruned by others.
package docker
