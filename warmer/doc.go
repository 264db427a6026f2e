// Package warmer decides which images belong on which hosts and brings it
// about: it looks at tags, follows each new digest (a Rollout) until it is warm
// on the hosts that want it, and makes it current.
//
// The decisions are pure: Plan compares what is desired with what was observed
// and says what to do next. The Warmer around it only observes, carries out
// and writes down. Reconciling is level-triggered: whatever happens (a tick, a
// finished pull, a host that came back) asks for another look at the whole, so
// that a lost event costs time and never correctness.
package warmer
