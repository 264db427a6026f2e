// Package registry knows image references and the registries behind them.
//
// A Ref (repository and tag) and a Pin (repository and digest) are different
// types on purpose: a tag moves, a digest does not, and everything that pulls
// or runs takes a Pin. Client turns the one into the other with a single HEAD
// request, and reads what a pin holds for the platforms of a fleet.
//
// How a request travels, from the caller down to the wire:
//
//	Client.Resolve, Client.Manifest   what is asked (client.go, describe.go)
//	session                           one per repository: its login, and one
//	                                  call at a time (session.go)
//	go-containerregistry's Puller     the protocol and the ways to log in
//	endpoint                          one per registry: https or plain http,
//	                                  retries, limits (endpoint.go)
//	http.Transport                    one per registry: its connections
//
// A failure comes back through explain (errors.go), which makes it a
// *problem.Error that says what the registry did and what to do about it. What
// it needs to know beyond the library's error is on the call's trail (trail.go).
package registry
