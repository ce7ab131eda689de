package jobs

import (
	"bytes"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRiverSpeaksUpOnlyToWarn(t *testing.T) {
	t.Parallel()
	for level, want := range map[slog.Level]string{
		slog.LevelInfo:  "level=WARN msg=stuck queue=a n=1\n",
		slog.LevelDebug: "level=DEBUG msg=counts queue=a n=1\nlevel=WARN msg=stuck queue=a n=1\n",
	} {
		var out bytes.Buffer
		log := riverLog(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}}))).With("queue", "a")
		log.Info("counts", "n", 1)
		log.Warn("stuck", "n", 1)
		require.Equal(t, want, out.String())
	}
}
