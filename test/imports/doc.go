// Package imports holds no code: its tests keep the import graph of the program
// as docs/architecture.md draws it.
//
// rooms_test.go says which of our packages each of them may import,
// libraries_test.go which package speaks to which library. Both are complete: a
// new package, a new arrow and a new library each fail the test until somebody
// writes them down there, with the reason, and in .golangci.yaml.
package imports
