// Package hints takes what senders tell of pushes and asks for looks at the
// tags that may have changed.
//
// A hint is never the truth: it is authenticated, read, matched with the
// configured images, written down and answered, and then the registry is asked,
// with our own credentials, at the address that the configuration names. So a
// forged, replayed, reordered or doubled delivery costs at most one request, and
// a lost one costs time: tags are looked at by their schedules all the same.
//
// No hint outlives the process. After a start all images are looked at anyway
// (internal/app/watch.go does so at once), which covers whatever was owed, so
// that only what was told and what came of it is kept on disk.
package hints
