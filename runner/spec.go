package runner

// Spec is what a caller wants executed: the part of docker run that is ours.
type Spec struct {
	Image      string   // as the caller named it: node-jobs, repo:tag, repo@digest
	Command    []string // replaces the image's command when not empty
	Entrypoint []string // replaces the image's entrypoint when not empty
	Env        []string // K=V, on top of the image's
	Network    string   // bridge, none or a network's name; empty: the engine's default
	User       string
	Workdir    string
	Memory     int64 // bytes; 0: no limit
	NanoCPUs   int64 // billionths of a CPU; 0: no limit
}
