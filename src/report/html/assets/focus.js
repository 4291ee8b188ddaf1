// What is drawn anew keeps the focus of who goes through it by keyboard.

/** Draws a box anew; the button that had the focus, or the one that now stands for the same thing, has it again. */
export function redrawn(box, draw) {
  const active = document.activeElement;
  const held = active && active !== box && box.contains(active) ? active.dataset : null;
  draw();
  if (!held) return;
  const name = ['place', 'select', 'close'].find((it) => it in held);
  const same = [...box.querySelectorAll(`[data-${name}]`)].find((it) => it.dataset[name] === held[name]);
  same?.focus({ preventScroll: true });
}
