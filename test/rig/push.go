package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"

	"github.com/prewarm/prewarm/test/fleet"
)

// sizes is a flag that may be given more than once: bytes of random layers.
type sizes []int64

// String and Set make it a flag.
func (s *sizes) String() string { return fmt.Sprint([]int64(*s)) }

// Set adds a layer.
func (s *sizes) Set(value string) error {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n <= 0 {
		return errors.New("want a number of bytes above 0")
	}
	*s = append(*s, n)
	return nil
}

func runPush(ctx context.Context, flags *flag.FlagSet, args []string, dir *string, out io.Writer) error {
	version := flags.String("version", "", "PROGRAM_VERSION of the image: another one is another digest")
	var random sizes
	flags.Var(&random, "random", "a layer of that many random `BYTES`; may be repeated")
	seed := flags.Uint64("seed", 0, "other random bytes; images of one seed and size share the layer")
	node := flags.Bool("node", false, "a program on Node on a small Debian, about 216 MB, in place of the test program")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return fmt.Errorf("push takes one REPOSITORY:TAG, after the flags; %s", usage)
	}
	f, err := load(*dir)
	if err != nil {
		return err
	}
	img := fleet.ProgramImage(*version)
	if *node {
		if img, err = fleet.NodeImage(ctx, *version); err != nil {
			return err
		}
	}
	img.Random, img.Seed = random, *seed
	digest, err := f.Registry.Push(ctx, flags.Arg(0), img)
	if err == nil {
		fmt.Fprintln(out, digest)
	}
	return err
}
