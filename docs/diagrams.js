// Draws the Mermaid diagrams of a page, in light or dark like the book. `ci/book.sh` puts mermaid.js beside the pages;
// without it, a diagram stays text.
(() => {
  const codes = document.querySelectorAll('pre > code.language-mermaid');
  if (codes.length === 0) return;
  const root = document.documentElement;
  const script = document.createElement('script');
  script.src = `${path_to_root}mermaid.js`;
  script.onload = () => {
    const diagrams = Array.from(codes, (code) => {
      const figure = document.createElement('figure');
      code.parentElement.replaceWith(figure);
      return { figure, source: code.textContent };
    });
    let drawn;
    const draw = async () => {
      const theme = ['ayu', 'coal', 'navy'].some((name) => root.classList.contains(name)) ? 'dark' : 'default';
      if (theme === drawn) return;
      drawn = theme;
      mermaid.initialize({ startOnLoad: false, theme });
      for (const [number, { figure, source }] of diagrams.entries()) {
        figure.innerHTML = (await mermaid.render(`diagram-${number}`, source)).svg;
      }
    };
    new MutationObserver(draw).observe(root, { attributeFilter: ['class'] });
    draw();
  };
  document.body.append(script);
})();
