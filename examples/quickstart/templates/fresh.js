// Going back may show a page as it was left, also to somebody who has signed out since: ask for it anew.
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});
