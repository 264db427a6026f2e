// Command image builds the container image of Prewarm: the program alone on an
// empty base, with what it needs of a file system.
//
//	go run ./tools/image [-o DIR] [-tag REF] [-version V] [-revision COMMIT] [-platforms OS/ARCH,…] [-load auto|always|never] [-push]
//
// It writes an OCI layout with all platforms (DIR/oci) and for each platform an
// archive that docker load takes (DIR/prewarm-OS-ARCH.tar), and prints the image's
// name and digest. With -load auto, which is the default, the engine that the
// docker command speaks to gets the image for its own platform, where one answers.
//
// There is no Dockerfile on purpose. The image is a function of the source: the
// same commit and the same Go make the same bytes, on any machine, without an
// engine, a base that moves, or a package mirror; and go.sum pins what is in it,
// the CA certificates too.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	dir       string
	tag       string
	platforms []v1.Platform
	load      string
	push      bool
	release   release
}

const (
	loadAuto   = "auto"
	loadAlways = "always"
	loadNever  = "never"
)

func parse(ctx context.Context, args []string, log io.Writer) (options, error) {
	var o options
	var platforms string
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	flags.SetOutput(log)
	flags.StringVar(&o.dir, "o", filepath.Join("bin", "image"), "`folder` for what is built")
	flags.StringVar(&o.tag, "tag", "", "`name` of the image; by default "+repository+":VERSION")
	flags.StringVar(&o.release.version, "version", "", "`version` of the program; by default what git describe says")
	flags.StringVar(&o.release.revision, "revision", "", "`commit` that is built; by default git's HEAD")
	flags.StringVar(&platforms, "platforms", "linux/amd64,linux/arm64", "`list` of platforms, with commas between them")
	flags.StringVar(&o.load, "load", loadAuto, "`when` to load it into the engine: auto (where one answers), always or never")
	flags.BoolVar(&o.push, "push", false, "push it to the registry of its name, with the login of docker login")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected %q", flags.Arg(0))
	}
	if o.load != loadAuto && o.load != loadAlways && o.load != loadNever {
		return o, fmt.Errorf("-load %q: want auto, always or never", o.load)
	}
	for one := range strings.SplitSeq(platforms, ",") {
		p, err := v1.ParsePlatform(one)
		if err != nil || p.OS != "linux" || p.Architecture != "amd64" && p.Architecture != "arm64" || p.Variant != "" {
			return o, fmt.Errorf("-platforms %q: want linux/amd64, linux/arm64 or both", platforms)
		}
		o.platforms = append(o.platforms, *p)
	}
	if err := o.release.complete(ctx, os.Getenv("SOURCE_DATE_EPOCH")); err != nil {
		return o, err
	}
	if o.tag == "" {
		o.tag = repository + ":" + o.release.version
	}
	return o, nil
}

// run builds all of it. The digest goes to out, steps to log.
func run(ctx context.Context, args []string, out, log io.Writer) error {
	o, err := parse(ctx, args, log)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(o.dir, 0o755); err != nil {
		return err
	}
	images := make(map[string]v1.Image, len(o.platforms))
	for _, p := range o.platforms {
		fmt.Fprintf(log, "building prewarm %s for %s\n", o.release.version, p)
		binary := filepath.Join(o.dir, "prewarm-"+p.OS+"-"+p.Architecture)
		if err := build(ctx, binary, p, o.release); err != nil {
			return err
		}
		if images[p.String()], err = newImage(binary, p, o.release); err != nil {
			return err
		}
	}
	digest, err := write(ctx, o, images)
	if err != nil {
		return err
	}
	if o.load != loadNever {
		if err := load(ctx, o, log); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(out, "%s@%s\n", o.tag, digest)
	return err
}
