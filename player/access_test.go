package player_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/internal/blob"
	"github.com/vitascope/vitascope/internal/httpx"
	"github.com/vitascope/vitascope/internal/playback"
	"github.com/vitascope/vitascope/player"
)

var long = flag.Bool("long", false, "try 100,000 changes of tokens, not 2,000")

// signer is an account's server: it signs playback tokens.
type signer struct {
	id     string
	method jwt.SigningMethod
	key    any
	stored playback.Key
}

func newSigner(t *testing.T, id, alg string) signer {
	t.Helper()
	stored, private, err := playback.NewKey(id, alg, keys.Sealing)
	require.NoError(t, err)
	key, err := playback.SigningKey(alg, private)
	require.NoError(t, err)
	return signer{id: id, method: jwt.GetSigningMethod(alg), key: key, stored: stored}
}

func (s signer) sign(t *testing.T, c jwt.MapClaims) string {
	t.Helper()
	token := jwt.NewWithClaims(s.method, c)
	token.Header["kid"] = s.id
	text, err := token.SignedString(s.key)
	require.NoError(t, err)
	return text
}

func (s signer) allow(t *testing.T, media string, until time.Time) string {
	t.Helper()
	return s.sign(t, jwt.MapClaims{"sub": media, "aud": "playback", "exp": until.Unix()})
}

// protect publishes a media of an account of its own.
func protect(t *testing.T, id string, a blob.Access, signers ...signer) {
	t.Helper()
	p := publish(t, id, "ready")
	p.Account = "acct" + id[4:]
	for _, name := range append([]string{"g1/p2/multivariant.m3u8"}, everyFile[2:]...) {
		body := name
		if name == "g1/p2/multivariant.m3u8" {
			body = manifest
		}
		require.NoError(t, store.PutBytes(t.Context(), blob.MediaPrefix(p.Account, id)+name, []byte(body), ""))
	}
	require.NoError(t, store.WritePointer(t.Context(), p))
	require.NoError(t, store.WriteSettings(t.Context(), blob.Settings{Account: p.Account, Media: id, Access: a}))
	setKeys(t, p.Account, signers...)
}

func setKeys(t *testing.T, account string, signers ...signer) {
	t.Helper()
	doc := blob.PlaybackKeys{Account: account}
	for _, s := range signers {
		doc.Keys = append(doc.Keys, s.stored)
	}
	require.NoError(t, store.WritePlaybackKeys(t.Context(), doc))
}

// ask posts credentials for a media's configuration. headers are pairs.
func ask(t *testing.T, base, id string, body map[string]string, headers ...string) (answer, map[string]any) {
	t.Helper()
	raw, err := json.Marshal(body)
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/embed/medias/"+id+"/config.json", bytes.NewReader(raw))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "text/plain")
	req.Header.Set("Origin", base)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	var out map[string]any
	require.NoError(t, json.NewDecoder(res.Body).Decode(&out))
	return answer{Response: res}, out
}

// everyFile is one of each kind that a publication has; the first two move.
var everyFile = []string{
	"multivariant.m3u8", "poster.jpg",
	"g1/a1/v360/index.m3u8", "g1/a1/v360/iframes.m3u8", "g1/a1/v360/init.mp4", "g1/a1/v360/0.m4s",
	"g1/a1/poster.jpg", "g1/a1/storyboard.vtt", "g1/a1/storyboard.jpg", "g1/a1/preview.mp4", "posters/abcdefghij/poster.jpg",
	"captions/abcdefghij.vtt", "captions/abcdefghij/d2000/index.m3u8", "captions/abcdefghij/d2000/0.vtt",
}

func TestASignedMediaIsReadWithATokenAlone(t *testing.T) {
	t.Parallel()
	for _, alg := range []string{playback.EdDSA, playback.HS256} {
		t.Run(alg, func(t *testing.T) {
			t.Parallel()
			id := "sign" + strings.ToLower(alg) + "0"
			s := newSigner(t, "k1", alg)
			protect(t, id, blob.Access{Visibility: blob.Signed}, s)
			server := serve(t, store, nil)
			for _, name := range everyFile {
				res := get(t, server.URL+"/hls/"+id+"/"+name)
				require.Equal(t, http.StatusUnauthorized, res.StatusCode, name)
				require.Equal(t, http.StatusForbidden, get(t, server.URL+"/hls/"+id+"/~AQ/"+name).StatusCode, name)
			}
			res := get(t, server.URL+"/embed/medias/"+id+"/config.json")
			require.Equal(t, http.StatusUnauthorized, res.StatusCode)
			require.Contains(t, res.body, "/problems/token-required")
			require.NotContains(t, res.body, "bold", "nothing of it is told")

			token := s.allow(t, id, time.Now().Add(time.Hour))
			_, config := ask(t, server.URL, id, map[string]string{"token": token})
			require.Equal(t, "A <b>bold</b> title", config["name"])
			require.NotContains(t, config["hls_url"], token)
			base := strings.TrimSuffix(config["hls_url"].(string), "multivariant.m3u8")
			for _, name := range everyFile {
				res := get(t, base+name)
				require.Equal(t, http.StatusOK, res.StatusCode, name)
				require.Contains(t, res.Header.Get("Cache-Control"), "private, max-age=", name)
				require.Equal(t, "no-referrer", res.Header.Get("Referrer-Policy"), name)
			}
			require.Equal(t, http.StatusNotFound, get(t, base+"g1/source").StatusCode)

			// A player that can send no body is sent behind a path token.
			res = get(t, server.URL+"/hls/"+id+"/multivariant.m3u8?token="+token)
			require.Equal(t, http.StatusOK, res.StatusCode)
			require.NotContains(t, res.Request.URL.String(), token)
			require.Contains(t, res.Request.URL.Path, "/~")
		})
	}
}

func TestTokensAreForOneMediaAndOnePurpose(t *testing.T) {
	t.Parallel()
	mine, other := newSigner(t, "k1", playback.EdDSA), newSigner(t, "k1", playback.EdDSA)
	protect(t, "onlymine01", blob.Access{Visibility: blob.Signed}, mine)
	protect(t, "onlymine02", blob.Access{Visibility: blob.Signed}, mine)
	server := serve(t, store, nil)
	in := time.Now().Add(time.Hour)
	for name, token := range map[string]string{
		"of another media":         mine.allow(t, "onlymine02", in),
		"of another account":       other.allow(t, "onlymine01", in),
		"for something else":       mine.sign(t, jwt.MapClaims{"sub": "onlymine01", "aud": "viewer", "exp": in.Unix()}),
		"without an end":           mine.sign(t, jwt.MapClaims{"sub": "onlymine01", "aud": "playback"}),
		"without an algorithm":     unsigned(t, "onlymine01", in),
		"of the key's public half": confused(t, mine, "onlymine01", in),
	} {
		res, _ := ask(t, server.URL, "onlymine01", map[string]string{"token": token})
		require.Equal(t, http.StatusForbidden, res.StatusCode, name)
	}
	res, out := ask(t, server.URL, "onlymine01", map[string]string{"token": mine.allow(t, "onlymine01", time.Now().Add(-time.Second))})
	require.Equal(t, http.StatusForbidden, res.StatusCode)
	require.Equal(t, "/problems/token-expired", out["type"])
	_, config := ask(t, server.URL, "onlymine02", map[string]string{"token": mine.allow(t, "onlymine02", in)})
	moved := strings.Replace(config["hls_url"].(string), "onlymine02", "onlymine01", 1)
	require.Equal(t, http.StatusForbidden, get(t, moved).StatusCode, "a path token of another media")
}

func unsigned(t *testing.T, media string, until time.Time) string {
	t.Helper()
	token := jwt.NewWithClaims(jwt.SigningMethodNone, jwt.MapClaims{"sub": media, "aud": "playback", "exp": until.Unix()})
	token.Header["kid"] = "k1"
	text, err := token.SignedString(jwt.UnsafeAllowNoneSignatureType)
	require.NoError(t, err)
	return text
}

// confused signs by HMAC with the public key, which is known to all.
func confused(t *testing.T, s signer, media string, until time.Time) string {
	t.Helper()
	return signer{id: s.id, method: jwt.SigningMethodHS256, key: s.stored.Public}.allow(t, media, until)
}

func TestAGrantEndsToTheSecond(t *testing.T) {
	t.Parallel()
	s := newSigner(t, "k1", playback.EdDSA)
	protect(t, "endsec0001", blob.Access{Visibility: blob.Signed}, s)
	var mu sync.Mutex
	end := time.Unix(time.Now().Unix()+3600, 0)
	now := end.Add(-time.Minute)
	at := func(d time.Duration) { mu.Lock(); defer mu.Unlock(); now = end.Add(d) }
	server := serve(t, store, nil, func(c *player.Config) {
		c.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	})
	token := s.allow(t, "endsec0001", end)
	_, config := ask(t, server.URL, "endsec0001", map[string]string{"token": token})
	require.Equal(t, end.UTC().Format(time.RFC3339), config["expires_at"])
	url := config["hls_url"].(string)
	require.Equal(t, "private, max-age=60", get(t, url).Header.Get("Cache-Control"))
	at(-time.Nanosecond)
	require.Equal(t, http.StatusOK, get(t, url).StatusCode)
	at(0)
	require.Equal(t, http.StatusForbidden, get(t, url).StatusCode)
	res, _ := ask(t, server.URL, "endsec0001", map[string]string{"token": token})
	require.Equal(t, http.StatusForbidden, res.StatusCode)
}

func TestAKeyThatIsTakenOutEndsWhatItSigned(t *testing.T) {
	t.Parallel()
	old, next := newSigner(t, "old", playback.HS256), newSigner(t, "next", playback.EdDSA)
	protect(t, "rotate0001", blob.Access{Visibility: blob.Signed}, old, next)
	server := serve(t, store, nil)
	in := time.Now().Add(time.Hour)
	read := func(s signer) string {
		_, config := ask(t, server.URL, "rotate0001", map[string]string{"token": s.allow(t, "rotate0001", in)})
		url, _ := config["hls_url"].(string)
		return url
	}
	byOld, byNext := read(old), read(next)
	require.Equal(t, http.StatusOK, get(t, byOld).StatusCode)
	setKeys(t, "acctte0001", next)
	require.Eventually(t, func() bool { return get(t, byOld).StatusCode == http.StatusForbidden && read(old) == "" },
		time.Minute, 20*time.Millisecond)
	require.Equal(t, http.StatusOK, get(t, byNext).StatusCode)
}

func TestPasswordsDomainsAndLinks(t *testing.T) {
	t.Parallel()
	hash, err := argon2id.CreateHash("open sesame", &argon2id.Params{Memory: 8 << 10, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32})
	require.NoError(t, err)
	in := time.Now().Add(time.Hour)
	protect(t, "withpass01", blob.Access{PasswordHash: hash})
	protect(t, "withdoms01", blob.Access{Domains: []string{"example.com", "*.example.org", "localhost:3000"}})
	protect(t, "withlink01", blob.Access{Visibility: blob.Private, Links: []blob.ShareLink{{ID: "l1", ExpiresMS: in.UnixMilli()}}})
	server := serve(t, store, nil)
	t.Run("a password opens what it is for, and guesses are bounded", func(t *testing.T) {
		t.Parallel()
		for body, want := range map[string]string{"": "password-required", "wrong": "password-wrong"} {
			res, out := ask(t, server.URL, "withpass01", map[string]string{"password": body})
			require.Equal(t, http.StatusUnauthorized, res.StatusCode)
			require.Equal(t, "/problems/"+want, out["type"])
			require.NotContains(t, out, "name")
		}
		_, config := ask(t, server.URL, "withpass01", map[string]string{"password": "open sesame"})
		url := config["hls_url"].(string)
		require.Equal(t, http.StatusOK, get(t, url).StatusCode)
		require.Equal(t, http.StatusUnauthorized, get(t, server.URL+"/hls/withpass01/g1/a1/v360/0.m4s").StatusCode)
		var last answer
		for range 12 {
			last, _ = ask(t, server.URL, "withpass01", map[string]string{"password": "guess"})
			require.Equal(t, `"passwords";q=10;w=60`, last.Header.Get("RateLimit-Policy"))
		}
		require.Equal(t, http.StatusTooManyRequests, last.StatusCode)
		require.Equal(t, `"passwords";r=0;t=`+last.Header.Get("Retry-After"), last.Header.Get("RateLimit"))
		for _, name := range []string{"RateLimit", "RateLimit-Policy", "Retry-After"} {
			require.Contains(t, strings.Split(last.Header.Get("Access-Control-Expose-Headers"), ", "), name, "players of every site read it")
		}
		require.NoError(t, store.WriteSettings(t.Context(), blob.Settings{Account: "acctpass01", Media: "withpass01", Access: blob.Access{PasswordHash: hash + "x"}}))
		require.Eventually(t, func() bool { return get(t, url).StatusCode == http.StatusForbidden }, time.Minute, 20*time.Millisecond,
			"another password ends what the old one opened")
	})
	t.Run("only pages of the allow-list may show it", func(t *testing.T) {
		t.Parallel()
		for origin, want := range map[string]int{
			"https://example.com": 200, "https://a.example.org": 200, "https://a.b.example.org": 200, "http://localhost:3000": 200, server.URL: 200,
			"https://example.org": 403, "https://evil-example.com": 403, "https://example.com.evil.test": 403, "null": 403,
			"http://localhost:4000": 403, "https://sub.example.com": 403,
		} {
			res := get(t, server.URL+"/embed/medias/withdoms01/config.json", "Origin", origin)
			require.Equal(t, want, res.StatusCode, origin)
		}
		require.Equal(t, 403, get(t, server.URL+"/embed/medias/withdoms01/config.json").StatusCode, "of no site that can be told")
		require.Equal(t, 200, get(t, server.URL+"/embed/medias/withdoms01/config.json", "Referer", server.URL+"/watch/withdoms01").StatusCode)
		require.Equal(t, 401, get(t, server.URL+"/hls/withdoms01/multivariant.m3u8").StatusCode)
		policy := get(t, server.URL+"/embed/iframe/withdoms01").Header.Get("Content-Security-Policy")
		require.Contains(t, policy, "frame-ancestors 'self' example.com:* *.example.org:* localhost:3000")
	})
	t.Run("a private media is unknown to all but holders of a link and its owners", func(t *testing.T) {
		t.Parallel()
		unknown := get(t, server.URL+"/embed/medias/unknown001/config.json")
		for _, path := range []string{"/embed/medias/withlink01/config.json", "/hls/withlink01/multivariant.m3u8", "/hls/withlink01/~AQ/g1/a1/v360/0.m4s", "/watch/withlink01", "/embed/iframe/withlink01"} {
			require.Equal(t, http.StatusNotFound, get(t, server.URL+path).StatusCode, path)
		}
		res := get(t, server.URL+"/embed/medias/withlink01/config.json")
		require.Equal(t, stripInstance(unknown.body), stripInstance(res.body))
		for name, g := range map[string]playback.Grant{
			"link":  {Media: "withlink01", By: playback.ByLink, Ref: "l1", Expires: in},
			"owner": {Media: "withlink01", By: playback.ByOwner, Expires: in},
		} {
			_, config := ask(t, server.URL, "withlink01", map[string]string{"token": g.Sign(keys.Grant)})
			require.Equal(t, http.StatusOK, get(t, config["hls_url"].(string)).StatusCode, name)
			require.Empty(t, config["share_url"])
		}
		gone := playback.Grant{Media: "withlink01", By: playback.ByLink, Ref: "l2", Expires: in}
		res, _ = ask(t, server.URL, "withlink01", map[string]string{"token": gone.Sign(keys.Grant)})
		require.Equal(t, http.StatusNotFound, res.StatusCode)
	})
}

func stripInstance(problem string) string {
	before, _, _ := strings.Cut(problem, `"instance"`)
	return before
}

func TestAViewerIsWhoTheAccountsServerSays(t *testing.T) {
	t.Parallel()
	s := newSigner(t, "k1", playback.EdDSA)
	protect(t, "viewer0001", blob.Access{}, s)
	server := serve(t, store, nil)
	token := s.sign(t, jwt.MapClaims{"sub": "customer 7", "email": "ann@example.com", "aud": "viewer", "exp": time.Now().Add(time.Hour).Unix()})
	_, config := ask(t, server.URL, "viewer0001", map[string]string{"viewer_token": token})
	require.Equal(t, map[string]any{"id": "customer 7", "email": "ann@example.com"}, config["viewer"])
	require.NotContains(t, config["hls_url"], "~", "an open media stays where caches have it")
	_, config = ask(t, server.URL, "viewer0001", map[string]string{"viewer_token": token + "x"})
	require.NotContains(t, config, "viewer")
}

// TestNoChangedTokenIsAccepted changes a token that is valid, one bit or one
// character or one field at a time.
func TestNoChangedTokenIsAccepted(t *testing.T) {
	t.Parallel()
	n := 2_000
	if *long {
		n = 100_000
	}
	ed, hs := newSigner(t, "k1", playback.EdDSA), newSigner(t, "k2", playback.HS256)
	protect(t, "change0001", blob.Access{Visibility: blob.Signed}, ed, hs)
	h, err := player.New(player.DefaultConfig(), store, nil, keys, nil, discard)
	require.NoError(t, err)
	closeAfter(t, h)
	e := httpx.New(nil, discard)
	h.Register(e)
	status := func(method, path, body string) int {
		rec := httptest.NewRecorder()
		e.ServeHTTP(rec, httptest.NewRequest(method, path, strings.NewReader(body)))
		return rec.Code
	}
	in := time.Now().Add(time.Hour)
	grant := playback.Grant{Media: "change0001", By: playback.ByKey, Ref: "k1", Expires: in}.Sign(keys.Grant)
	byPath := func(token string) int {
		return status("GET", "/hls/change0001/~"+url.PathEscape(token)+"/g1/a1/v360/0.m4s", "")
	}
	byBody := func(token string) int {
		raw, err := json.Marshal(map[string]string{"token": token})
		require.NoError(t, err)
		return status("POST", "/embed/medias/change0001/config.json", string(raw))
	}
	valid := []struct {
		token string
		try   func(string) int
	}{{grant, byPath}, {grant, byBody}, {ed.allow(t, "change0001", in), byBody}, {hs.allow(t, "change0001", in), byBody}}
	for _, v := range valid {
		require.Equal(t, 200, v.try(v.token))
	}
	seed := rand.Uint64()
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/\n\r\x00 "
	accepted := 0
	for range n {
		v := valid[random.IntN(len(valid))]
		b := []byte(v.token)
		i := random.IntN(len(b))
		switch random.IntN(6) {
		case 0:
			b[i] ^= 1 << random.IntN(8)
		case 1:
			b[i] = letters[random.IntN(len(letters))]
		case 2:
			b = slices.Delete(b, i, i+1)
		case 3:
			b = slices.Insert(b, i, letters[random.IntN(len(letters))])
		case 4:
			b = append(b, letters[random.IntN(len(letters))])
		case 5:
			b = changeField(random, b)
		}
		changed := string(b)
		if changed == v.token {
			continue
		}
		if got := v.try(changed); got == 200 {
			accepted++
			t.Errorf("accepted %q, made from %q", changed, v.token)
		}
	}
	require.Zero(t, accepted)
}

// changeField swaps a whole part of a JWT, or of the bytes of a grant, for another.
func changeField(random *rand.Rand, token []byte) []byte {
	parts := bytes.Split(token, []byte("."))
	if len(parts) == 3 {
		parts[random.IntN(3)] = [][]byte{[]byte("eyJhbGciOiJub25lIn0"), []byte("e30"), {}, []byte("eyJhbGciOiJIUzI1NiIsImtpZCI6ImsxIn0")}[random.IntN(4)]
		return bytes.Join(parts, []byte("."))
	}
	i := random.IntN(len(token) - 4)
	copy(token[i:], fmt.Sprintf("%04x", random.IntN(1<<16)))
	return token
}

func TestNoTokenIsLogged(t *testing.T) {
	t.Parallel()
	s := newSigner(t, "k1", playback.EdDSA)
	protect(t, "nologs0001", blob.Access{Visibility: blob.Signed}, s)
	var log lockedBuffer
	logger := slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	h, err := player.New(player.DefaultConfig(), store, nil, keys, nil, logger)
	require.NoError(t, err)
	closeAfter(t, h)
	e := httpx.New(nil, logger)
	h.Register(e)
	server := listen(t, h, e)
	token := s.allow(t, "nologs0001", time.Now().Add(time.Hour))
	_, config := ask(t, server.URL, "nologs0001", map[string]string{"token": token, "viewer_token": token})
	url := config["hls_url"].(string)
	get(t, url)
	get(t, server.URL+"/hls/nologs0001/poster.jpg?token="+token)
	get(t, server.URL+"/hls/nologs0001/poster.jpg?token="+token+"x")
	get(t, strings.Replace(url, "/multi", "x/multi", 1))
	for _, page := range []string{"/watch/nologs0001", "/embed/iframe/nologs0001", "/share/nologs0001"} {
		res := get(t, server.URL+page+"#token="+token)
		require.Contains(t, []string{"no-referrer", "same-origin", "strict-origin", "strict-origin-when-cross-origin"}, res.Header.Get("Referrer-Policy"), page)
		require.NotContains(t, res.body, token, page)
	}
	path := strings.Split(strings.SplitAfter(url, "/~")[1], "/")[0]
	require.Contains(t, log.String(), "request")
	require.NotContains(t, log.String(), token)
	require.NotContains(t, log.String(), path)
}

// lockedBuffer is written by several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
