// Package failpoint ends the program at named points of its code, as kill -9
// would, so that tests can prove what holds after a crash there.
//
// A point is a line in the code:
//
//	failpoint.Here("run-inserted")
//
// It does nothing, and costs nothing, unless the program was built with the tag
// failpoints (go build -tags failpoints). Then the variable PREWARM_FAILPOINT
// chooses the point: "run-inserted" ends the program when it first passes
// there, "run-inserted:3" at the third time. Releases are built without the tag
// and don't know the variable.
package failpoint
