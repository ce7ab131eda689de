package player_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/internal/blob"
)

func TestConfigNamesTheFilesThatPlaybackStartsWith(t *testing.T) {
	t.Parallel()
	p := publish(t, "starts0001", "ready")
	prefix := blob.MediaPrefix(account, "starts0001")
	media := "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:6\n#EXT-X-PLAYLIST-TYPE:VOD\n" +
		"#EXT-X-MAP:URI=\"init.mp4\"\n#EXTINF:6.000,\n0.m4s\n#EXTINF:6.000,\n1.m4s\n#EXT-X-ENDLIST\n"
	for name, body := range map[string]string{
		"g1/p3/multivariant.m3u8": "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n" +
			"#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"English\",LANGUAGE=\"en\",DEFAULT=YES,AUTOSELECT=YES,URI=\"g1/a1/a0/index.m3u8\"\n" +
			"#EXT-X-STREAM-INF:BANDWIDTH=900000,CODECS=\"avc1.64001e,mp4a.40.2\",RESOLUTION=640x360,AUDIO=\"a\"\ng1/a1/v360/index.m3u8\n" +
			"#EXT-X-STREAM-INF:BANDWIDTH=7000000,CODECS=\"avc1.640028,mp4a.40.2\",RESOLUTION=1920x1080,AUDIO=\"a\"\ng1/a1/v1080/index.m3u8\n" +
			"#EXT-X-STREAM-INF:BANDWIDTH=2200000,CODECS=\"avc1.64001f,mp4a.40.2\",RESOLUTION=960x540,AUDIO=\"a\"\ng1/a1/v540/index.m3u8\n",
		"g1/a1/v360/index.m3u8": media, "g1/a1/v540/index.m3u8": media, "g1/a1/a0/index.m3u8": media,
	} {
		require.NoError(t, store.PutBytes(t.Context(), prefix+name, []byte(body), "application/octet-stream"))
	}
	p.Publication, p.Multivariant = 3, "g1/p3/multivariant.m3u8"
	require.NoError(t, store.WritePointer(t.Context(), p))

	server := serve(t, store, states{})
	var config struct {
		Start []struct {
			Bitrate int
			URLs    []string
		}
	}
	require.NoError(t, json.Unmarshal([]byte(get(t, server.URL+"/embed/medias/starts0001/config.json").body), &config))
	require.Len(t, config.Start, 2, "a rung of 7 Mb/s is none to start with")
	require.Equal(t, 2_200_000, config.Start[0].Bitrate)
	require.Equal(t, 0, config.Start[1].Bitrate, "the lowest rung is for every connection")
	at := server.URL + "/hls/starts0001/"
	require.Equal(t, []string{
		at + "multivariant.m3u8", at + "g1/a1/v360/index.m3u8", at + "g1/a1/a0/index.m3u8",
		at + "g1/a1/v360/init.mp4", at + "g1/a1/a0/init.mp4", at + "g1/a1/v360/0.m4s", at + "g1/a1/a0/0.m4s",
	}, config.Start[1].URLs)
	for _, url := range config.Start[1].URLs[:3] {
		require.Equal(t, 200, get(t, url).StatusCode, url)
	}
}
