package chhttp

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"

	"github.com/ClickHouse/ch-go/compress"
	chproto "github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2/lib/column"
	"github.com/ClickHouse/clickhouse-go/v2/lib/proto"
)

// helloRevision is the revision at which clickhouse-go decodes the answer to
// its hello, whatever the server is.
const helloRevision = 54460

// blockBytes is how much is compressed into one block of ClickHouse's own
// framing, the size its server uses too.
const blockBytes = 1 << 20

// answer writes a result, compressed as the client asked.
type answer struct {
	w       http.ResponseWriter
	out     io.Writer
	gzip    *gzip.Writer
	native  bool
	block   *compress.Writer
	queryID string
	begun   bool
}

func newAnswer(w http.ResponseWriter, req *request) *answer {
	a := &answer{w: w, out: w, native: req.native, queryID: req.queryID}
	if req.gzip {
		a.gzip, _ = gzip.NewWriterLevel(w, gzip.BestSpeed) // the level is valid
		a.out = a.gzip
	}
	if req.native {
		a.block = compress.NewWriter(compress.LevelZero, compress.LZ4)
	}
	return a
}

// write sends b. The first write settles the headers.
func (a *answer) write(b []byte) error {
	if !a.begun {
		a.begun = true
		if a.gzip != nil {
			a.w.Header().Set("Content-Encoding", "gzip")
		}
	}
	if !a.native {
		_, err := a.out.Write(b)
		return err
	}
	for len(b) > 0 {
		n := min(len(b), blockBytes)
		if err := a.block.Compress(b[:n]); err != nil {
			return err
		}
		if _, err := a.out.Write(a.block.Data); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// writeChunk sends a piece of a streamed result at once.
func (a *answer) writeChunk(b []byte) error {
	if err := a.write(b); err != nil {
		return err
	}
	if a.gzip != nil {
		if err := a.gzip.Flush(); err != nil {
			return err
		}
	}
	return http.NewResponseController(a.w).Flush()
}

// close ends the result. Nothing may be written after it.
func (a *answer) close() error {
	if a.gzip == nil || !a.begun {
		return nil
	}
	_ = a.gzip.Close() // fails only when the client has gone
	return nil
}

// fail reports err: by returning it while the status is still open, else in
// the frame that clients look for when a result breaks off.
func (a *answer) fail(err error) error {
	if !a.begun {
		return err
	}
	if !isEngineError(err) {
		return nil // writing failed: the client has gone
	}
	tag := (a.queryID + "0000000000000000")[:16]
	msg := err.Error()
	frame := fmt.Sprintf("\r\n__exception__\r\n%s\r\n%s\n%d %s\r\n__exception__\r\n", tag, msg, len(msg), tag)
	_ = a.write([]byte(frame))
	return a.close()
}

// writeHello answers clickhouse-go's first statement. The reported revision 0
// makes the client decode every later result as plain FORMAT Native, which is
// what the library writes; only this first answer has the newer layout.
func (s *Server) writeHello(w http.ResponseWriter, req *request) error {
	b := proto.NewBlock()
	for _, c := range []struct{ name, kind string }{
		{"displayName()", "String"}, {"version()", "String"}, {"revision()", "UInt32"}, {"timezone()", "String"},
	} {
		if err := b.AddColumn(c.name, column.Type(c.kind)); err != nil {
			return fmt.Errorf("build hello: %w", err)
		}
	}
	if err := b.Append(displayName, s.engine.Version(), uint32(0), "UTC"); err != nil {
		return fmt.Errorf("build hello: %w", err)
	}
	var buf chproto.Buffer
	if err := b.Encode(&buf, helloRevision); err != nil {
		return fmt.Errorf("encode hello: %w", err)
	}
	a := newAnswer(w, req)
	if err := a.write(buf.Buf); err != nil {
		return nil // the client has gone
	}
	return a.close()
}
