package main

import (
	"context"
	"fmt"

	"github.com/prewarm/prewarm/test/fleet"
)

// imageName is what the demo's image is called.
const imageName = "node-jobs"

// repository is where CI pushes it.
const repository = "etl/" + imageName

// newLayer is how much the second version brings along: enough to see it warm
// for some seconds on two cores.
const newLayer = 160 << 20

// jobs is the program in the image: its versions, and how it is called.
type jobs struct{ small bool }

// first is the first version: Node on a small Debian, like many a job of a
// real team, or a static Go program.
func (j jobs) first(ctx context.Context) (fleet.Image, error) { return j.version(ctx, "v1") }

// second shares all layers of the first and brings a large one of its own.
func (j jobs) second(ctx context.Context) (fleet.Image, error) {
	image, err := j.version(ctx, "v2")
	image.Random = []int64{newLayer}
	return image, err
}

func (j jobs) version(ctx context.Context, v string) (fleet.Image, error) {
	if j.small {
		return fleet.ProgramImage(v), nil
	}
	return fleet.NodeImage(ctx, v)
}

// describe says what the image is.
func (j jobs) describe() string {
	if j.small {
		return "a small Go program"
	}
	return "this machine's node and a small program on a Debian base"
}

// slowly are the arguments for n lines with pauses between them.
func (j jobs) slowly(n, pauseMillis int) []string {
	if j.small {
		return []string{"lines", fmt.Sprint(n), fmt.Sprintf("%dms", pauseMillis)}
	}
	return []string{fmt.Sprint(n), fmt.Sprint(pauseMillis)}
}

// whichVersion are the arguments for a line that names the version.
func (j jobs) whichVersion() []string {
	if j.small {
		return []string{"version"}
	}
	return []string{"1", "0"}
}
