package prune

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// manyImages is a host with images of all kinds, of 12 layers each, of which two
// thirds are shared.
func manyImages(n int, seed uint64) Inventory {
	draw := rand.New(rand.NewPCG(seed, 0))
	inv := Inventory{Now: noon}
	kinds := []Standing{Wanted, Kept, Kept, Superseded, NeverCurrent, Orphaned, "", ""}
	for i := range n {
		img := Image{ID: fmt.Sprintf("sha256:%064x", i), Bytes: 600 << 20}
		img.Seen = noon.Add(-time.Duration(draw.IntN(60*24)) * time.Hour)
		img.Used = img.Seen.Add(time.Duration(draw.Int64N(int64(noon.Sub(img.Seen)) + 1)))
		base := draw.IntN(n/50 + 1)
		for l := range 12 {
			id := fmt.Sprintf("sha256:%062x%02x", base, l)
			if l >= 8 {
				id = fmt.Sprintf("sha256:1%061x%02x", i, l)
			}
			img.Layers = append(img.Layers, Layer{id, int64(1+l) << 20})
		}
		if kind := kinds[draw.IntN(len(kinds))]; kind == "" {
			img.Names, img.Tagged = []string{fmt.Sprintf("docker.io/library/i%d:1", i)}, true
		} else {
			pin := Pinned{Pin: pinOf(fmt.Sprint("i", i)), Standing: kind, Image: "jobs", Rank: draw.IntN(5), Rules: Rules{MinAge: 24 * time.Hour, Keep: 3, KeepMin: 1}}
			pin.Refs = []string{fmt.Sprintf("registry.test/etl/i%d:latest", i/4)}
			if kind == Wanted {
				pin.Claims = []Claim{{Rule: IsCurrent, Detail: "jobs:latest", Since: img.Seen}}
			}
			img.Pins = []Pinned{pin}
		}
		inv.Images = append(inv.Images, img)
	}
	return inv
}

func manyRules(b *testing.B) Policy {
	return Policy{
		Rules: Rules{MinAge: 24 * time.Hour}, Unmanaged: LeastRecently,
		Protect: protecting(b, "registry.test/base/*", "registry.test/etl/i7*", "node", "docker.io/**:22", "*.example.com/**", "postgres:1*", "**/redis", "ghcr.io/x/*:v1"),
	}
}

// BenchmarkDecide decides of 10,000 images on one host, and of 1,000 hosts with
// 200 each: without pressure, and where half of what may go is needed.
func BenchmarkDecide(b *testing.B) {
	for _, size := range []struct{ hosts, images int }{{1, 10_000}, {1000, 200}} {
		hosts := make([]Inventory, size.hosts)
		for i := range hosts {
			hosts[i] = manyImages(size.images, uint64(i))
		}
		for _, pressed := range []bool{false, true} {
			b.Run(fmt.Sprintf("hosts=%d/images=%d/pressed=%t", size.hosts, size.images, pressed), func(b *testing.B) {
				policy, needs := manyRules(b), make([]int64, size.hosts)
				if pressed {
					most := policy
					most.Need = 1 << 62
					for i, inv := range hosts {
						needs[i] = Decide(most, inv).Frees * 3 / 4
					}
				}
				for b.Loop() {
					for i, inv := range hosts {
						policy.Need = needs[i]
						if d := Decide(policy, inv); d.Frees == 0 || d.Short > 0 {
							b.Fatalf("frees %d, short by %d", d.Frees, d.Short)
						}
					}
				}
			})
		}
	}
}
