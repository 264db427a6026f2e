// Package spool keeps the logs of runs on disk: append-only segments of lines
// with numbers, written while a container prints, read from any number on by
// any number of readers, compressed once the log has ended.
package spool
