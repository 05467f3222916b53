"""Where local keys come from (exports of other programs, the maker's cloud) and how they get into devices.json."""
