package api

import "time"

// Diff is what differs between two digests of an image.
type Diff struct {
	Image         string       `json:"image"`
	Platform      string       `json:"platform" doc:"Whose images are compared."`
	A             Side         `json:"a"`
	B             Side         `json:"b"`
	TransferBytes int64        `json:"transfer_bytes" doc:"What a host that has a downloads for b, compressed."`
	Layers        []DiffLayer  `json:"layers" doc:"Those of b from the lowest, then those in a alone."`
	Changes       []DiffChange `json:"changes" doc:"What differs in the configuration."`
}

// Side is one of the two.
type Side struct {
	Digest         string     `json:"digest"`
	PlatformDigest string     `json:"platform_digest"`
	Bytes          int64      `json:"bytes" doc:"Of all layers, compressed."`
	CreatedAt      *time.Time `json:"created_at,omitempty"`
}

// DiffLayer is a layer of one of the two, or of both.
type DiffLayer struct {
	Digest    string `json:"digest"`
	Bytes     int64  `json:"bytes" doc:"Compressed."`
	In        string `json:"in" enum:"a,b,both"`
	CreatedBy string `json:"created_by,omitempty" doc:"The build step that made it, where the image says so."`
}

// DiffChange is a difference between the two configurations.
type DiffChange struct {
	Field string `json:"field" enum:"env,entrypoint,command,user,workdir,labels,ports"`
	Name  string `json:"name,omitempty" doc:"Of the variable, label or port."`
	// An empty value is one, too.
	A *string `json:"a,omitempty" doc:"Missing where a has none."`
	B *string `json:"b,omitempty" doc:"Missing where b has none."`
}
