/**
 * What a browser with JavaScript does better than a reload: the page is fetched again and only its main part put in
 * the place of the old one, so scrolling and focus stay. Never while somebody fills in a form or reads what they opened or marked.
 */
export const SCRIPT = `
(() => {
  const main = document.querySelector('main[data-refresh]');
  if (!main) return;
  const every = Number(main.dataset.refresh) * 1000;
  const state = document.getElementById('refresh-state');
  let pressed = false, touched = false;
  addEventListener('pointerdown', () => { pressed = true; });
  addEventListener('pointerup', () => { pressed = false; });
  document.addEventListener('input', () => { touched = true; });
  const busy = () => pressed || touched || document.hidden || !getSelection().isCollapsed
    || /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName) || main.querySelector('details[open]');
  const again = async () => {
    if (!busy()) {
      try {
        const answer = await fetch(main.dataset.from, { headers: { accept: 'text/html' }, redirect: 'error' });
        const next = new DOMParser().parseFromString(await answer.text(), 'text/html');
        const fresh = next.querySelector('main');
        if (!fresh) throw new Error('no page');
        if (!busy()) {
          const focused = document.activeElement.id;
          main.replaceChildren(...fresh.childNodes);
          document.title = next.title;
          if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
          if (state) state.textContent = '';
        }
      } catch {
        if (state) state.textContent = 'This page could not be brought up to date: the relay does not answer. It tries again.';
      }
    }
    setTimeout(again, every);
  };
  setTimeout(again, every);
})();
`;
