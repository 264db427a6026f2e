package config

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/prewarm/prewarm/registry/webhook"
)

// leastSecret is the length of a secret that signs what is sent, in bytes.
const leastSecret = 16

// webhookSecrets takes what tells that a sender is who it should be.
func (r *reader) webhookSecrets(entry string, doc webhookDoc, hook *Webhook) {
	secret, previous := entry+".secret", entry+".previous_secret"
	path, previousPath := entry+".path_secret", entry+".previous_path_secret"
	now, written := r.secret(secret, doc.Secret, doc.SecretFile)
	before, writtenBefore := r.secret(previous, doc.PreviousSecret, doc.PreviousSecretFile)
	inPath, writtenInPath := r.secret(path, "", doc.PathSecretFile)
	inPathBefore, writtenInPathBefore := r.secret(previousPath, "", doc.PreviousPathSecretFile)
	signs := webhook.Kind(hook.Kind).Signs()
	switch {
	case hook.Kind == "": // what it needs can't be told
	case !signs && written:
		r.add(entry, "", hook.Kind+" can't sign what it sends, nor add a secret to it", "write path_secret_file in place of a secret: the secret is then the last part of the address")
	case !signs && !writtenInPath:
		r.add(entry, "", hook.Kind+" can't sign what it sends, so that anybody could send it", "add path_secret_file: the secret is then the last part of the address")
	case !written && !writtenInPath && !writtenBefore && !writtenInPathBefore:
		r.add(entry, "", "it has no secret, so that anybody could send to it", "add secret_file, or path_secret_file where the sender can't sign")
	}
	if writtenBefore && !written {
		r.add(entry, "", "there is a previous secret, and none after it", "write that as secret_file")
	}
	if writtenInPathBefore && !writtenInPath {
		r.add(entry, "", "there is a previous secret of the path, and none after it", "write that as path_secret_file")
	}
	hook.Secrets = r.accepted(now, before, doc.SecretFile, doc.PreviousSecretFile, r.checkSecret)
	hook.SecretFile, hook.PreviousSecretFile = now.file, before.file
	hook.Path = r.accepted(inPath, inPathBefore, doc.PathSecretFile, doc.PreviousPathSecretFile, r.checkPathSecret)
	hook.PathFile, hook.PreviousPathFile = inPath.file, inPathBefore.file
}

// accepted lists a secret and the one before it, each checked; both are accepted
// as long as both are written.
func (r *reader) accepted(now, before heldSecret, file, fileBefore string, check func(held heldSecret, file string)) []Secret {
	var list []Secret
	if now.at != "" {
		check(now, file)
		list = append(list, now.text)
	}
	if before.at != "" {
		check(before, fileBefore)
		list = append(list, before.text)
	}
	if len(list) == 2 && now.text == before.text {
		r.add(before.at, fileBefore, "it is the same secret as the present one", "leave it out")
	}
	return list
}

const mendSecret = "make one with: head -c 32 /dev/urandom | base64"

// checkSecret reports what can be guessed, and what no header could carry.
func (r *reader) checkSecret(held heldSecret, file string) {
	text := held.text.Reveal()
	switch {
	case len(text) < leastSecret:
		r.add(held.at, file, fmt.Sprintf("the secret has fewer than %d bytes, and can be guessed", leastSecret), mendSecret)
	case strings.TrimSpace(text) != text:
		r.add(held.at, file, "the secret begins or ends with a blank or a new line", "take it away: senders don't show it")
	}
}

// pathSecretRule matches what stands in the path of an address as it is.
var pathSecretRule = regexp.MustCompile(`^[A-Za-z0-9._~-]*$`)

func (r *reader) checkPathSecret(held heldSecret, file string) {
	const mend = "make one with: head -c 16 /dev/urandom | xxd -p"
	switch text := held.text.Reveal(); {
	case len(text) < leastSecret:
		r.add(held.at, file, fmt.Sprintf("the secret has fewer than %d bytes, and can be guessed", leastSecret), mend)
	case !pathSecretRule.MatchString(text):
		r.add(held.at, file, "the secret can't be a part of an address", mend+"; letters, digits, '-', '_', '.' and '~' may be in it")
	}
}
