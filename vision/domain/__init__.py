"""The shared vocabulary: frozen values that check themselves. numpy and pycocotools only."""
