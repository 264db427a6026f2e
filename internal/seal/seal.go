// Package seal keeps the values of secret variables from those who read the
// state: they are encrypted with a key that stands outside of it, in a file of
// the server.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"

	"github.com/prewarm/prewarm/internal/problem"
)

// MinKey is the least length of a key, in bytes: that of an AES-256 key.
const MinKey = 32

// version begins what is sealed and tells how: AES-256-GCM with a random nonce,
// under a key that HKDF-SHA256 makes of the file's bytes.
const version = 1

// purpose keeps the key for this use apart from any other made of the same
// file.
const purpose = "prewarm: secret values of runs, 1"

// Sealer seals with one key. It prints as "***".
type Sealer struct{ aead cipher.AEAD }

// New makes a Sealer. The key may be raw bytes or text of any encoding; one
// that is shorter than MinKey is problem.InvalidConfig.
func New(key []byte) (*Sealer, error) {
	if len(key) < MinKey {
		return nil, problem.New(problem.InvalidConfig,
			fmt.Sprintf("use the key for secret values: it has %d bytes, and %d are needed", len(key), MinKey),
			"make one with: openssl rand -base64 32")
	}
	aead, err := newAEAD(key)
	if err != nil {
		return nil, fmt.Errorf("use the key for secret values: %w", err)
	}
	return &Sealer{aead: aead}, nil
}

func newAEAD(key []byte) (cipher.AEAD, error) {
	derived, err := hkdf.Key(sha256.New, key, nil, purpose, MinKey)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// Seal encrypts. The same text is never sealed to the same bytes.
func (s Sealer) Seal(plain []byte) ([]byte, error) {
	head := []byte{version}
	return s.aead.Seal(head, nil, plain, head), nil
}

// Open gives what was sealed. Under another key, or where a byte was changed,
// it is problem.InvalidConfig.
func (s Sealer) Open(sealed []byte) ([]byte, error) {
	if len(sealed) == 0 || sealed[0] != version {
		return nil, problem.New(problem.InvalidConfig,
			"open the secret values of a run: they were not sealed by this release or an earlier one",
			"start the release that the run was submitted to, or submit the run again")
	}
	plain, err := s.aead.Open(nil, nil, sealed[1:], sealed[:1])
	if err != nil {
		// The cause says only that it failed: GCM can't tell why.
		return nil, problem.New(problem.InvalidConfig,
			"open the secret values of a run: the key file was changed since they were sealed, or the state was damaged",
			"put the earlier key back into runner.secret_key_file, or submit the run again")
	}
	return plain, nil
}

// Format writes "***" for every verb.
func (Sealer) Format(f fmt.State, _ rune) { fmt.Fprint(f, "***") }

// None is the Sealer of a server without a key: it keeps no secret values.
type None struct{}

// Seal is problem.NotAllowed.
func (None) Seal([]byte) ([]byte, error) {
	return nil, problem.New(problem.NotAllowed,
		"secret values can't be kept: the server has no key to seal them with",
		"set runner.secret_key_file, or name files on the server instead of sending values")
}

// Open is problem.InvalidConfig: a key was there once.
func (None) Open([]byte) ([]byte, error) {
	return nil, problem.New(problem.InvalidConfig,
		"open the secret values of a run: they were sealed with a key, and the server has none any more",
		"set runner.secret_key_file to the earlier key, or submit the run again")
}
