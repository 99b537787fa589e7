"""How good the demo models are on scenes never trained on."""
