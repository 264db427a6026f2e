// Package webhook reads what registries and CI send when an image was pushed:
// whether it comes from who it should, and which images it names. What it says
// is a hint and never the truth: whoever acts on it asks the registry.
package webhook

import (
	"net/http"
	"time"

	"github.com/prewarm/prewarm/registry"
)

// Kind is a sender's dialect.
type Kind string

// The kinds; Kinds lists them all.
const (
	Generic      Kind = "generic"      // CI's own: signed JSON
	Distribution Kind = "distribution" // CNCF Distribution, and GitLab's self-managed registry
	DockerHub    Kind = "dockerhub"
	GitHub       Kind = "github" // packages: package and registry_package
	GitLab       Kind = "gitlab" // pipelines and jobs: gitlab.com's registry sends nothing
	Harbor       Kind = "harbor" // default and CloudEvents
	Quay         Kind = "quay"
	Gitea        Kind = "gitea" // and Forgejo
	ACR          Kind = "acr"
	Zot          Kind = "zot"
)

// Kinds are all kinds, in the order of the documents.
func Kinds() []Kind {
	return []Kind{Generic, Distribution, DockerHub, GitHub, GitLab, Harbor, Quay, Gitea, ACR, Zot}
}

// Signs tells whether deliveries of the kind can show that they come from who
// knows a secret. Those that can't are let in by a secret address only.
func (k Kind) Signs() bool { return len(senders[k].proofs) > 0 }

// sender is what is to know of a kind.
type sender struct {
	// proofs are the ways in which it shows that it knows the secret; any one of
	// them will do.
	proofs []proof
	decode decoder
}

// senders holds each kind's; Generic is decoded otherwise where the hook has
// Fields.
var senders = map[Kind]sender{
	Generic:      {decode: decodeGeneric, proofs: []proof{ownSignature, standardSignature, authorization}},
	Distribution: {decode: decodeDistribution, proofs: []proof{authorization}},
	DockerHub:    {decode: decodeDockerHub},
	GitHub:       {decode: decodeGitHub, proofs: []proof{hubSignature}},
	GitLab:       {decode: decodeGitLab, proofs: []proof{standardSignature, gitLabToken}},
	Harbor:       {decode: decodeHarbor, proofs: []proof{authorization}},
	Quay:         {decode: decodeQuay},
	Gitea:        {decode: decodeGitea, proofs: []proof{giteaSignature, hubSignature}},
	ACR:          {decode: decodeACR, proofs: []proof{authorization}},
	Zot:          {decode: decodeZot, proofs: []proof{authorization}},
}

// Delivery is one request as it came.
type Delivery struct {
	Header http.Header
	// Body is its sender's bytes as long as the request lasts, and no longer.
	Body []byte
	// At is when it came: a signature that tells its time must be near.
	At time.Time
}

// Event is one image that a delivery says was pushed.
type Event struct {
	// Registry is the host that the sender names; empty: it names none, and the
	// hook's configuration does.
	Registry string
	// Path is the repository's within the registry: etl/node-jobs.
	Path string
	// Below tells that repositories below Path are meant, too.
	Below bool
	// Tag is empty where the sender does not tell: any of the repository.
	Tag string
	// Digest is empty where the sender does not tell.
	Digest registry.Digest
	// ID is the sender's name for the event, the same in a repeated delivery;
	// empty: it has none.
	ID string
}
