package main

import (
	"github.com/spf13/pflag"

	"github.com/prewarm/prewarm/internal/api"
)

// rightFlags are what the container is allowed. The server's policy decides
// which of them it grants.
type rightFlags struct {
	add, drop, security, sysctls []string
	privileged                   bool
}

func (f *rightFlags) register(flags *pflag.FlagSet) {
	flags.StringArrayVar(&f.add, "cap-add", nil, "one more `capability`, where the server's policy allows it; may be repeated")
	flags.StringArrayVar(&f.drop, "cap-drop", nil, "one `capability` less, or ALL; may be repeated")
	flags.StringArrayVar(&f.security, "security-opt", nil, "security `option`, such as no-new-privileges; may be repeated")
	flags.StringArrayVar(&f.sysctls, "sysctl", nil, "kernel setting of the container as `name=value`; may be repeated")
	flags.BoolVar(&f.privileged, "privileged", false, "all rights on the host, where the server's policy allows it")
}

func (f *rightFlags) apply(r *api.SubmitRun) (err error) {
	r.CapAdd, r.CapDrop, r.SecurityOpt, r.Privileged = f.add, f.drop, f.security, f.privileged
	r.Sysctls, err = pairs("sysctl", f.sysctls, false)
	return err
}
