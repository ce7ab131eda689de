package collect

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"

	"github.com/klauspost/compress/gzip"

	"github.com/vitascope/vitascope/internal/beacon"
)

// plain returns the body as text, decompressed when it has to be, of at most one
// byte more than a body may have, which is refused further on. release gives its
// memory back. The error is a [*beacon.Error].
func (h *Handler) plain(a *arrival) (body []byte, release func(), err error) {
	if !isText(a.mediaType) {
		return nil, nil, &beacon.Error{Code: beacon.CodeMediaType, Detail: "a beacon is text/plain"}
	}
	switch a.encoding {
	case "", "identity":
		return a.body, func() {}, nil
	case "gzip":
	default:
		return nil, nil, &beacon.Error{Code: beacon.CodeMediaType, Detail: "its Content-Encoding is neither gzip nor none"}
	}
	buffer, _ := h.bodies.Get().(*[]byte)
	release = func() { h.bodies.Put(buffer) }
	n, err := gunzip(a.body, *buffer)
	if err != nil {
		release()
		return nil, nil, &beacon.Error{Code: beacon.CodeMediaType, Detail: "the body is not gzip"}
	}
	return (*buffer)[:n], release, nil
}

func isText(mediaType string) bool {
	switch mediaType {
	case "text/plain", "text/plain;charset=UTF-8", "text/plain; charset=utf-8":
		return true // what browsers send
	}
	parsed, _, err := mime.ParseMediaType(mediaType)
	return err == nil && parsed == "text/plain"
}

// gunzip fills into as far as the data goes and tells how far. It stops when
// into is full, however much the data would unpack to.
func gunzip(data, into []byte) (int, error) {
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return 0, err
	}
	n, err := io.ReadFull(r, into)
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) && complete(r) {
		return n, nil
	}
	return 0, err
}

// complete tells whether the data ended where its writer ended it: ReadFull
// reports both ends alike.
func complete(r io.Reader) bool {
	var one [1]byte
	_, err := r.Read(one[:])
	return errors.Is(err, io.EOF)
}

// maxTogether is how many batches one body may have. An array of one is refused, as
// it always was.
const maxTogether = 20

// split returns the batches of a body that is an array of them, nothing of any other.
func split(body []byte) []json.RawMessage {
	var several []json.RawMessage
	if body = bytes.TrimLeft(body, " \t\r\n"); len(body) == 0 || len(body) > beacon.MaxBody || body[0] != '[' {
		return nil
	}
	if json.Unmarshal(body, &several) != nil || len(several) < 2 || len(several) > maxTogether {
		return nil
	}
	return several
}
