package engines

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"strings"
)

// maxLogLineBytes is where a line of the child's output is cut.
const maxLogLineBytes = 64 << 10

// childLog brings the child's output up through slog: lines of its own logger
// as they are, lines of the library by the level written in them.
type childLog struct {
	log  *slog.Logger
	last string
}

func newChildLog(log *slog.Logger) *childLog { return &childLog{log: log} }

// copy logs every line of r until it ends.
func (c *childLog) copy(r io.Reader) {
	lines := bufio.NewReaderSize(r, maxLogLineBytes)
	for {
		line, rest, err := lines.ReadLine()
		if err != nil {
			return
		}
		c.line(line)
		for rest && err == nil {
			_, rest, err = lines.ReadLine()
		}
	}
}

// lastError is the last error that the child logged itself, or nil. It may be
// called once copy has returned.
func (c *childLog) lastError() error {
	if c.last == "" {
		return nil
	}
	return errors.New(c.last)
}

func (c *childLog) line(line []byte) {
	var record struct {
		Level slog.Level
		Msg   string
	}
	fields := map[string]any{}
	if json.Unmarshal(line, &record) != nil || json.Unmarshal(line, &fields) != nil || record.Msg == "" {
		c.foreign(string(line))
		return
	}
	if record.Level >= slog.LevelError {
		c.last = record.Msg
		if why, ok := fields["err"].(string); ok {
			c.last = why
		}
	}
	for _, standard := range []string{"time", "level", "msg"} {
		delete(fields, standard)
	}
	attrs := make([]slog.Attr, 0, len(fields))
	for key, value := range fields {
		attrs = append(attrs, slog.Any(key, value))
	}
	c.log.LogAttrs(context.Background(), record.Level, record.Msg, attrs...)
}

// foreign logs a line of the library. Its warnings are about its own
// scheduling; what fails a statement goes to the client.
func (c *childLog) foreign(line string) {
	level := slog.LevelDebug
	for _, serious := range []string{"<Error>", "<Critical>", "<Fatal>", "panic:", "fatal error:"} {
		if strings.Contains(line, serious) {
			level = slog.LevelWarn
			break
		}
	}
	c.log.LogAttrs(context.Background(), level, "clickhouse", slog.String("line", line))
}
