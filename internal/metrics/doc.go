// Package metrics tells Prometheus how Prewarm does. What happens is counted as
// the domain tells of it (it implements warmer.Measures and runner.Measures);
// how things stand is read from the domain when somebody scrapes. A scrape asks
// nobody over the network.
//
// A label is a name of the configuration or one of a fixed set of words, never a
// digest, a run or anything else that callers can make up. What leaves the
// configuration is exported no more.
//
// To add a metric: declare it with the others of its kind (newEvents,
// newSnapshots), then make generate, which writes the table of docs/metrics.md.
package metrics
