package sink

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func TestLongNamesTakeThePlaceOfSeveralViews(t *testing.T) {
	t.Parallel()
	remembered := func(page string) int {
		k, err := newKnown(100)
		require.NoError(t, err)
		for i := range 2000 {
			key := ViewKey{"account001", "media00001", uuid.NewSHA1(uuid.Nil, fmt.Append(nil, i))}
			m := &memory{}
			m.states[0].Page = page
			k.keep(map[ViewKey]*memory{key: m})
		}
		k.views.CleanUp()
		return k.views.EstimatedSize()
	}
	short, long := remembered("https://site.example/"), remembered("https://site.example/"+strings.Repeat("x", 2000))
	require.GreaterOrEqual(t, short, 100)
	require.LessOrEqual(t, short, 200)
	require.LessOrEqual(t, long, 100*usualView/2000)
	require.Positive(t, long)
}
