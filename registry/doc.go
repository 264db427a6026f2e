// Package registry knows image references and the registries behind them.
//
// A Ref (repository and tag) and a Pin (repository and digest) are different
// types on purpose: a tag moves, a digest does not, and everything that pulls
// or runs takes a Pin. Client turns the one into the other with a single HEAD
// request, and reads what a pin holds for the platforms of a fleet. A Pattern
// matches the names of many images.
//
// How a request travels, from the caller down to the wire:
//
//	Client.Resolve, Manifest, …       what is asked (client.go, describe.go,
//	                                  tags.go, image.go, reach.go)
//	session                           one per repository: one call at a time,
//	                                  and which login it uses (session.go)
//	go-containerregistry's Puller     the protocol
//	login                             one for up to 25 repositories: a password,
//	                                  or a token for all of them (login.go); how
//	                                  the registry wants it is asked once
//	                                  (logins.go), and a refused password is
//	                                  not sent again and again (refusals.go)
//	keyring                           one per registry: its password, from the
//	                                  Docker config file or its helper
//	                                  (keyring.go)
//	endpoint                          one per registry: https or plain http,
//	                                  short retries (endpoint.go), its rate
//	                                  (limiter.go), its quota (quota.go)
//	http.Transport                    one per registry: its connections, and the
//	                                  certificates from files (tlsfiles.go)
//
// A breaker per registry (breaker.go) hears how each call ended, and holds back
// the requests to one that asked for fewer or is down.
//
// A failure comes back through explain (errors.go), which makes it a
// *problem.Error that says what the registry did and what to do about it. What
// it needs to know beyond the library's error is on the call's trail (trail.go).
package registry
