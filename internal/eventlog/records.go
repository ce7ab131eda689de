package eventlog

import (
	"bytes"
	"io"

	"github.com/segmentio/kafka-go/protocol"
)

// records reads messages for one request. A record is valid until the next is read,
// which is all that writing them out needs.
type records struct {
	messages   []Message
	record     protocol.Record
	key, value payload
}

// payload is bytes in memory.
type payload struct{ bytes.Reader }

// Close implements protocol.Bytes.
func (*payload) Close() error { return nil }

func newRecords(messages []Message) *records { return &records{messages: messages} }

// ReadRecord implements protocol.RecordReader.
func (r *records) ReadRecord() (*protocol.Record, error) {
	if len(r.messages) == 0 {
		return nil, io.EOF
	}
	m := &r.messages[0]
	r.messages = r.messages[1:]
	r.value.Reset(m.Value)
	r.record = protocol.Record{Time: m.Time, Value: &r.value, Headers: r.record.Headers[:0]}
	if m.Key != nil {
		r.key.Reset(m.Key)
		r.record.Key = &r.key
	}
	for _, h := range m.Headers {
		r.record.Headers = append(r.record.Headers, protocol.Header{Key: h.Key, Value: h.Value})
	}
	return &r.record, nil
}
