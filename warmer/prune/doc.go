// Package prune decides which images may go from a host, and says for each why
// it goes or why it stays.
//
// Decide is pure: an inventory and a policy in, verdicts out. It removes nothing,
// asks nobody, and knows no engine: who calls it finds out what is on the host
// and what is wanted there, and makes sure that both still hold when an image is
// removed.
//
// What forbids a removal comes first and is never weighed against anything: a
// claim (current, warming, in a pin scope, leased …), a container, youth, a
// protected name. What is left has a class, and goes by class, then by last use:
// digests that never were current, images that are not ours and were opted in,
// superseded digests beyond those that are kept, and at last, only where space
// is needed, those kept for a rollback, oldest first, down to KeepMin.
//
// Bytes are counted by layers, each once on a host: a layer is freed with the
// last image that has it. So nothing goes for want of space that would free
// none, and nothing without which enough is freed.
package prune
