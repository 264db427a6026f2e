package api

import (
	"context"
	"errors"
	"io"
	"net/http"
)

// Backup writes a backup of the server's state to w. What was written before an
// error is none. It returns w's error as it is.
func (c *Client) Backup(ctx context.Context, w io.Writer) error {
	resp, err := c.send(ctx, request{method: http.MethodPost, path: "/v1/backup", want: "application/x-tar"})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	out := &kept{Writer: w}
	if _, err := io.Copy(out, resp.Body); err != nil && out.err == nil {
		return c.lost(ctx, err)
	}
	return out.err
}

// kept remembers the error of a writer.
type kept struct {
	io.Writer
	err error
}

func (k *kept) Write(b []byte) (int, error) {
	n, err := k.Writer.Write(b)
	k.err = errors.Join(k.err, err)
	return n, err
}
