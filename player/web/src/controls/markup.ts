/** The controls, in the order they are tabbed through. Menus are added later. */
export const markup = /* html */ `
<media-loading-indicator slot="centered-chrome" noautohide></media-loading-indicator>
<span class="shade"></span>
<media-control-bar>
  <media-play-button data-control="play"></media-play-button>
  <media-time-range data-control="time"></media-time-range>
  <media-time-display data-control="time" showduration notoggle></media-time-display>
  <span class="volume" data-control="volume"><media-mute-button></media-mute-button><media-volume-range></media-volume-range></span>
  <span class="gap"></span>
  <media-captions-menu-button data-control="captions"></media-captions-menu-button>
  <media-settings-menu-button data-control="settings"><svg slot="icon" viewBox="0 0 24 24" aria-hidden="true"><path d="M19.4 13a7.6 7.6 0 0 0 0-2l2-1.6a.5.5 0 0 0 .2-.6l-2-3.4a.5.5 0 0 0-.6-.2l-2.4 1a7.3 7.3 0 0 0-1.7-1l-.4-2.5a.5.5 0 0 0-.5-.4h-4a.5.5 0 0 0-.5.4l-.4 2.5a7.3 7.3 0 0 0-1.7 1l-2.4-1a.5.5 0 0 0-.6.2l-2 3.4a.5.5 0 0 0 .2.6l2 1.6a7.6 7.6 0 0 0 0 2l-2 1.6a.5.5 0 0 0-.2.6l2 3.4c.1.2.4.3.6.2l2.4-1c.5.4 1.1.7 1.7 1l.4 2.5c0 .3.2.4.5.4h4c.3 0 .5-.1.5-.4l.4-2.5c.6-.3 1.2-.6 1.7-1l2.4 1c.2.1.5 0 .6-.2l2-3.4a.5.5 0 0 0-.2-.6zM12 15.6a3.6 3.6 0 1 1 0-7.2 3.6 3.6 0 0 1 0 7.2z"/></svg></media-settings-menu-button>
  <media-pip-button data-control="pip"></media-pip-button>
  <media-airplay-button data-control="airplay"></media-airplay-button>
  <media-fullscreen-button data-control="fullscreen"></media-fullscreen-button>
</media-control-bar>`;
