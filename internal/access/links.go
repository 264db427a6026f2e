package access

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/prewarm/prewarm/internal/problem"
)

// Links signs what opens the log of one run to whoever has it, until a time: for
// people who have no token. It prints as "***".
type Links struct{ key []byte }

const (
	linkKeySize = 32
	// signSize is what is left of the HMAC: a link goes into messages that people
	// read.
	signSize = 16
)

// OpenLinks reads the key of the links, and makes one where there is none. Only
// one process may use the file at a time. A file that holds no key is
// problem.StateCorrupt.
func OpenLinks(path string) (*Links, error) {
	key, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		key, err = makeKey(path)
	}
	if err != nil {
		return nil, fmt.Errorf("take the key of the links to logs: %w", err)
	}
	if len(key) != linkKeySize {
		return nil, problem.New(problem.StateCorrupt,
			fmt.Sprintf("take the key of the links to logs: %s has %d bytes, and a key has %d", path, len(key), linkKeySize),
			"remove the file: another key is made, and the links that were sent so far open nothing any more")
	}
	return &Links{key: key}, nil
}

// makeKey writes a new key. Whoever kills the process in the middle of it leaves
// no half of one.
func makeKey(path string) ([]byte, error) {
	key := make([]byte, linkKeySize)
	_, _ = rand.Read(key) // it never fails
	draft := path + ".draft"
	if err := os.Remove(draft); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	f, err := os.OpenFile(draft, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = f.Write(key)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if err := os.Rename(draft, path); err != nil {
		return nil, err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	return key, errors.Join(dir.Sync(), dir.Close())
}

// Sign gives what proves that the log of a run may be read until a time, to the
// second.
func (l Links) Sign(run string, until time.Time) string {
	mac := hmac.New(sha256.New, l.key)
	mac.Write([]byte("run-log\n" + run + "\n" + strconv.FormatInt(until.Unix(), 10)))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:signSize])
}

// Signed tells whether Sign gave a proof. Whether its time has come is for the
// caller to see.
func (l Links) Signed(run string, until time.Time, sign string) bool {
	return hmac.Equal([]byte(sign), []byte(l.Sign(run, until)))
}

// Format writes "***" for every verb.
func (Links) Format(f fmt.State, _ rune) { fmt.Fprint(f, "***") }
