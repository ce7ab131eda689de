package player

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPicturesOfCallsToActionAreLetIntoOurPagesAndNothingElse(t *testing.T) {
	t.Parallel()
	m := media{player: json.RawMessage(`{"actions":[{"image_url":"https://Img.Example/a.png"},{"image_url":"https://img.example/b.png"},
		{"image_url":"https://a.example; script-src *"},{"image_url":"javascript:alert(1)"},{"image_url":"https://'self'/"},{"image_url":""},{"text":"x"}]}`)}
	require.Equal(t, "https://img.example ", imageOrigins(m))
	require.Empty(t, imageOrigins(media{}))
	require.Empty(t, imageOrigins(media{player: json.RawMessage(`[]`)}))
}
