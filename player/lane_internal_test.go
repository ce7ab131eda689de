package player

import (
	"bufio"
	"bytes"
	"net/http"
	"testing"
)

// FuzzLane holds what the lane understands of a request against net/http.
func FuzzLane(f *testing.F) {
	f.Add([]byte("GET /hls/abcdefghij/g1/a1/v1/0.m4s?CMCD=bs%2Cot%3Dv HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\nConnection: close\r\n"))
	f.Add([]byte("GET /hls/a HTTP/1.1\r\nHost: x\r\nX-Y:\r\nCMCD-Object: ot=a\r\n"))
	// Found by fuzzing. The store of this package's tests works in a folder of its own, so
	// that testdata/fuzz is not read.
	f.Add([]byte("GET /hls/ HTTP/1.1\r\nHost:\r\r\n"))
	f.Add([]byte("GET /hls/?CMCD=0 000 HTTP/1.1\r\nHost: x\r\n"))
	f.Fuzz(func(t *testing.T, head []byte) {
		if !bytes.HasPrefix(head, hlsPrefix) || !bytes.HasSuffix(head, []byte("\r\n")) || bytes.Contains(head, []byte("\r\n\r\n")) {
			return
		}
		got, ok := parsePlain(head)
		if !ok {
			return
		}
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(append(bytes.Clone(head), "\r\n"...))))
		if err != nil {
			t.Fatalf("taken, but net/http refuses it: %v", err)
		}
		if want := r.URL.Path; "/hls/"+got.path != want {
			t.Errorf("path: got %q, want %q", got.path, want)
		}
		if got.close != r.Close {
			t.Errorf("close: got %v, want %v", got.close, r.Close)
		}
		for _, name := range []string{"Range", "If-None-Match", "Expect", "Upgrade"} {
			if r.Header.Get(name) != "" {
				t.Errorf("%s was passed over", name)
			}
		}
		if r.ContentLength != 0 || len(r.TransferEncoding) > 0 {
			t.Error("a body was passed over")
		}
	})
}
