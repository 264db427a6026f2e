package docker

import (
	"cmp"
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/versions"

	"github.com/prewarm/prewarm/runner"
)

// binding is where on the host a port is published, as the API has it. The
// client's own types for it live in a library of their own, which is not worth
// an import: they are set by their JSON.
type binding struct {
	HostIP   string `json:"HostIp"`
	HostPort string
}

// publish puts the ports of a spec into both halves of a create call.
func publish(ports []runner.Port, of *container.Config, host *container.HostConfig) error {
	if len(ports) == 0 {
		return nil
	}
	exposed, bindings := map[string]struct{}{}, map[string][]binding{}
	for _, p := range ports {
		name := strconv.Itoa(p.Container) + "/" + cmp.Or(p.Protocol, "tcp")
		exposed[name] = struct{}{}
		on := binding{HostIP: p.HostIP}
		if p.Host != 0 {
			on.HostPort = strconv.Itoa(p.Host)
		}
		bindings[name] = append(bindings[name], on)
	}
	if err := convert(exposed, &of.ExposedPorts); err != nil {
		return err
	}
	return convert(bindings, &host.PortBindings)
}

// convert gives a value of one type to another that has the same JSON.
func convert(from, to any) error {
	text, err := json.Marshal(from)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, to)
}

// creator is the client's call. P is its type of a platform, which lives in a
// library of its own, too.
type creator[P any] func(context.Context, *container.Config, *container.HostConfig, *network.NetworkingConfig, *P, string) (container.CreateResponse, error)

// createFor creates a container for a platform; empty: the engine's own. Before
// API 1.41 no platform could be said: the image was verified to be the host's.
func createFor[P any](
	ctx context.Context, create creator[P], api, platform string,
	of *container.Config, host *container.HostConfig, in *network.NetworkingConfig, name string,
) (container.CreateResponse, error) {
	if platform == "" || versions.LessThan(api, "1.41") {
		return create(ctx, of, host, in, nil, name)
	}
	parts := append(strings.SplitN(platform, "/", 3), "", "")
	made := new(P)
	if err := convert(map[string]string{"os": parts[0], "architecture": parts[1], "variant": parts[2]}, made); err != nil {
		return container.CreateResponse{}, err
	}
	return create(ctx, of, host, in, made, name)
}
