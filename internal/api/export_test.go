package api

// DecodeLine reads a line of a log, for tests that need no server.
var DecodeLine = decodeLine
