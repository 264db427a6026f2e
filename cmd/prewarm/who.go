package main

import (
	"cmp"
	"os"
	"os/user"
)

// who says who asks: user@machine. Nobody proves it; it is for the history.
func who() string {
	name := cmp.Or(os.Getenv("USER"), "somebody")
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	host, err := os.Hostname()
	if err != nil {
		return name
	}
	return name + "@" + host
}
