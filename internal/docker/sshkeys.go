package docker

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/crypto/ssh/knownhosts"
)

// hostKeys holds a machine's key against a known_hosts file.
type hostKeys struct {
	endpoint endpoint
	file     string
	known    ssh.HostKeyCallback
	signed   bool      // the file names authorities, too
	refused  *obstacle // why the key was refused
}

func newHostKeys(e endpoint, file string) (*hostKeys, error) {
	unusable := func(err error) error {
		return &obstacle{
			why:   "ssh.known_hosts can't be used",
			mend:  fmt.Sprintf("compare the fingerprint with the machine's own, then: %s", keyscan(e, "", file)),
			cause: err,
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, unusable(err)
	}
	known, err := knownhosts.New(file)
	if err != nil {
		return nil, unusable(err)
	}
	return &hostKeys{endpoint: e, file: file, known: known, signed: bytes.Contains(text, []byte("@cert-authority"))}, nil
}

// check refuses a key that is not in the file, and says how to get it there.
func (k *hostKeys) check(address string, remote net.Addr, key ssh.PublicKey) error {
	err := k.known(address, remote, key)
	if err == nil {
		return nil
	}
	print := key.Type() + " " + ssh.FingerprintSHA256(key)
	scan := keyscan(k.endpoint, key.Type(), k.file)
	var unknown *knownhosts.KeyError
	switch {
	case errors.As(err, &unknown) && len(unknown.Want) == 0:
		k.refused = &obstacle{
			why:  fmt.Sprintf("the host key of %s (%s) is not in %s", address, print, k.file),
			mend: fmt.Sprintf("compare the fingerprint with the machine's own (there: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub), then: %s", scan),
		}
	case errors.As(err, &unknown):
		k.refused = &obstacle{
			why: fmt.Sprintf("the host key of %s is %s, another one than line %d of %s says", address, print, unknown.Want[0].Line, k.file),
			mend: fmt.Sprintf("somebody may be answering in the machine's place; if it was really set up anew: ssh-keygen -R %s -f %s, then: %s",
				quoted(knownhosts.Normalize(address)), quoted(k.file), scan),
		}
	default:
		k.refused = &obstacle{why: "the host key of " + address + " (" + print + ") is refused", mend: "give the machine another host key, and add it to " + k.file, cause: err}
	}
	return k.refused
}

// algorithms are those of the keys that the file has for the machine. Without
// them the two ends may agree on another of the machine's keys, which then looks
// like a changed one. Nil is the library's own choice.
func (k *hostKeys) algorithms() []string {
	_, nobodys, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil
	}
	signer, err := ssh.NewSignerFromKey(nobodys)
	if err != nil {
		return nil
	}
	var unknown *knownhosts.KeyError
	err = k.known(k.endpoint.address, &net.TCPAddr{IP: net.IPv4zero}, signer.PublicKey())
	if k.signed || !errors.As(err, &unknown) {
		return nil
	}
	var all []string
	for _, known := range unknown.Want {
		names := []string{known.Key.Type()}
		if known.Key.Type() == ssh.KeyAlgoRSA {
			names = []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
		}
		all = append(all, names...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// keyscan is the command that adds a machine's key to a file.
func keyscan(e endpoint, keyType, file string) string {
	host, port, err := net.SplitHostPort(e.address)
	if err != nil {
		host, port = e.address, defaultSSHPort
	}
	command := "ssh-keyscan"
	if port != defaultSSHPort {
		command += " -p " + port
	}
	for _, t := range []string{"ed25519", "ecdsa", "rsa"} {
		if strings.Contains(keyType, t) {
			command += " -t " + t
		}
	}
	return fmt.Sprintf("%s %s >> %s", command, quoted(host), quoted(file))
}

// auth gives what we sign in with; done gives it back.
func (s SSH) auth(ctx context.Context) (method ssh.AuthMethod, done func(), err error) {
	if s.KeyFile == "" {
		return s.agentAuth(ctx, nil)
	}
	text, err := os.ReadFile(s.KeyFile)
	if err != nil {
		return nil, nil, badKeyFile(s.KeyFile, err)
	}
	signer, err := ssh.ParsePrivateKey(text)
	var locked *ssh.PassphraseMissingError
	switch {
	case err == nil:
		return ssh.PublicKeys(signer), func() {}, nil
	case !errors.As(err, &locked):
		return nil, nil, badKeyFile(s.KeyFile, err)
	case locked.PublicKey != nil:
		return s.agentAuth(ctx, locked.PublicKey)
	}
	// Only OpenSSH's own format tells the public half of a locked key.
	text, err = os.ReadFile(s.KeyFile + ".pub")
	if err != nil {
		return nil, nil, badKeyFile(s.KeyFile, err)
	}
	public, _, _, _, err := ssh.ParseAuthorizedKey(text)
	if err != nil {
		return nil, nil, badKeyFile(s.KeyFile, err)
	}
	return s.agentAuth(ctx, public)
}

func badKeyFile(file string, err error) error {
	return &obstacle{why: "ssh.key_file can't be used", mend: "make " + file + " a readable private key without a passphrase, or add the key to an agent", cause: err}
}

// agentAuth signs in with the agent's keys, or with only one of them.
func (s SSH) agentAuth(ctx context.Context, only ssh.PublicKey) (ssh.AuthMethod, func(), error) {
	socket := s.Agent
	if socket == "" {
		socket = os.Getenv("SSH_AUTH_SOCK")
	}
	if socket == "" && only != nil {
		return nil, nil, &obstacle{
			why:  "the key in " + s.KeyFile + " has a passphrase, and there is no agent that holds it",
			mend: "give a key without a passphrase that is used for nothing else, or start prewarm with SSH_AUTH_SOCK set",
		}
	}
	if socket == "" {
		return nil, nil, &obstacle{why: "there is no ssh key to sign in with", mend: "set the host's ssh.key_file, or start prewarm with SSH_AUTH_SOCK set"}
	}
	conn, err := dial(ctx, "unix", socket)
	if err != nil {
		return nil, nil, &obstacle{why: "the ssh agent at " + socket + " does not answer", mend: "start it (ssh-agent), or set the host's ssh.key_file", cause: err}
	}
	keys := func() ([]ssh.Signer, error) {
		all, err := agent.NewClient(conn).Signers()
		if only != nil {
			all = slices.DeleteFunc(all, func(one ssh.Signer) bool {
				return !bytes.Equal(one.PublicKey().Marshal(), only.Marshal())
			})
		}
		return all, err
	}
	return ssh.PublicKeysCallback(keys), func() { _ = conn.Close() }, nil // nothing is asked of it any more
}
