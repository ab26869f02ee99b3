// Pictures that are cut from one sheet of equal tiles, enlarged by a whole factor: nothing is rescaled or smoothed.
export const zoomTo = (side, pixels) => Math.max(1, Math.round(side / pixels));

export function tileStyle(sprite, index, zoom) {
  const [w, h] = [sprite.tile_w * zoom, sprite.tile_h * zoom];
  return { width: w + 'px', height: h + 'px',
    backgroundPosition: `${-w * (index % sprite.columns)}px ${-h * Math.floor(index / sprite.columns)}px` };
}

export function sheetStyle(sprite, zoom) {
  const rows = Math.ceil(sprite.count / sprite.columns);
  return { backgroundImage: `url("${sprite.data_uri}")`,
    backgroundSize: `${sprite.tile_w * zoom * sprite.columns}px ${sprite.tile_h * zoom * rows}px` };
}
