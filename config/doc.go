// Package config reads Prewarm's configuration: a YAML file, and environment
// variables that go before it.
//
// Load reports everything that is wrong at once, each mistake with its file,
// line, field, value, reason and mend; what it returns needs no further checks.
// References, digests, schedules and selections are parsed once, here, into
// their own types, and secrets into Secret, which prints as "***" however it is
// printed. A Watcher tells when the files say something else, and Diff
// what it is.
//
// # How a file is read
//
// The raw YAML is walked against the structs in document.go first: that finds
// unknown and repeated keys and wrong kinds of values, and keeps the lines and
// the text of each scalar (a tag 1.10 stays "1.10"). What the walk accepts goes
// through viper, which lays environment over file over defaults. Then each
// section checks its own values and builds its part of Config.
//
// # To add a key
//
// Add it to the section's struct in document.go, with its default in defaults
// if it is a scalar outside of a list; read and check it where the section is
// built; write it back in Redacted; describe it in keys*.go for editors and in
// docs/configuration.md for people; give each mistake that can be made with it a
// file in testdata/mistakes. go test -update then writes the schema anew.
//
// Only the program's own wiring uses Config: other packages take options of
// their own. The package makes no promise to importers outside this module.
package config
